"""What decoding returns where more than a tensor is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from transformers.generation.utils import GenerateDecoderOnlyOutput

from .stats import SJDStats

__all__ = ["SJDOutput"]


@dataclass
class SJDOutput(GenerateDecoderOnlyOutput):
    """What ``generate`` returns with ``return_dict_in_generate=True``: as usual, and the `SJDStats`."""

    stats: SJDStats | None = None
