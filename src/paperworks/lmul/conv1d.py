"""L-Mul in transformers' Conv1D, GPT-2's linear layer: its weight [in, out] is the transpose of nn.Linear's."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.pytorch_utils import Conv1D

from .layers import KeptOperand, linear

__all__ = ["LMulConv1D"]


class LMulConv1D(Conv1D):
    """``x @ weight + bias`` with L-Mul products: [..., in] to [..., out]. :func:`lmul.convert` makes it of a Conv1D.

    It has the attributes that ``LMulLinear.settings`` gives.
    """

    arithmetic: dict[str, Any]
    kept: KeptOperand
    gain: float

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output; the products are L-Mul, the sums and the bias ordinary additions."""
        prepared = self.kept(self.weight, self.arithmetic)
        return linear(x, self.weight.T, self.bias, gain=self.gain, prepared=prepared, **self.arithmetic)

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value!r}" for name, value in self.arithmetic.items())
        return f"{type(self).__name__}(nf={self.nf}, nx={self.nx}, {chosen})"
