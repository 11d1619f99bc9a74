"""L-Mul as a transformers quantisation method: ``from_pretrained(..., quantization_config=LMulConfig(...))``.

Nothing is quantised in storage: the checkpoint holds the ordinary weights, and config.json says how they multiply.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.quantizers.base import HfQuantizer

from .convert import convert, revert

__all__ = ["LMulQuantizer"]


class LMulQuantizer(HfQuantizer):
    """Converts a model before its weights are loaded; ``model.dequantize()`` makes it ordinary again.

    It can be saved, trained whole (every parameter is an ordinary one) and compiled.
    """

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> PreTrainedModel:
        settings: Any = self.quantization_config  # an LMulConfig, by the registry
        return convert(model, settings)

    def _dequantize(self, model: PreTrainedModel, dtype: torch.dtype | None = None) -> PreTrainedModel:
        return revert(model)

    def is_serializable(self) -> bool:
        """Whether ``save_pretrained`` works."""
        return True

    @property
    def is_trainable(self) -> bool:
        """Whether Trainer may train it."""
        return True

    @property
    def is_qat_trainable(self) -> bool:
        """Whether Trainer may train it without adapters."""
        return True

    @property
    def is_compileable(self) -> bool:
        """Whether ``generate`` may compile it."""
        return True
