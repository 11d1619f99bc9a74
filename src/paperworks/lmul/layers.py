"""Linear layers whose products are L-Mul."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .matmul import Prepared, autocast, matmul, prepare

if TYPE_CHECKING:
    from .config import LMulConfig

__all__ = ["KeptOperand", "LMulLinear", "linear"]


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    gain: float = 1.0,
    prepared: Prepared | None = None,
    **arithmetic: Any,
) -> Tensor:
    """``torch.nn.functional.linear`` with L-Mul: ``x`` [..., in], ``weight`` [out, in], ``bias`` [out] give [..., out].

    ``arithmetic`` and ``prepared`` (for ``weight.T``) are keywords of :func:`lmul.matmul`. The product is divided by
    ``gain``; the bias is added as usual.
    """
    result: Tensor = matmul(x, weight.T, prepared=prepared, **arithmetic)
    result = result if gain == 1.0 else result / gain
    return result if bias is None else result + bias.to(result.dtype)


class KeptOperand:
    """A weight prepared once, for as long as it does not change. Copies and pickles start empty."""

    def __init__(self) -> None:
        self._of: tuple[Any, ...] = ()
        self._prepared: Prepared | None = None

    def __call__(self, weight: Tensor, arithmetic: dict[str, Any]) -> Prepared | None:
        """The right operand ``weight`` [in, out] prepared, or None where keeping it would not pay or not be safe.

        What changes a weight in place counts up its version; a new tensor lies elsewhere. While gradients are recorded
        for the weight it is about to change, and a compiled graph prepares operands itself.
        """
        if torch.compiler.is_compiling() or weight.device.type == "meta":
            return None
        if weight.is_inference() or (weight.requires_grad and torch.is_grad_enabled()):
            return None
        operand = autocast(weight.detach())
        of = (weight.data_ptr(), weight._version, weight.shape, weight.stride(), operand.dtype, *arithmetic.items())
        if of != self._of:
            wanted = {name: value for name, value in arithmetic.items() if name != "grad"}
            self._prepared, self._of = prepare(operand, **wanted), of
        return self._prepared

    def __reduce__(self) -> tuple[type[KeptOperand], tuple[()]]:
        return KeptOperand, ()


class LMulLinear(nn.Linear):
    """``nn.Linear`` with L-Mul in place of every multiplication; keywords as in :func:`lmul.matmul`.

    Parameters, initialisation and state dict are nn.Linear's. At inference the weight is prepared once and kept until
    it changes: twice its size in memory for the formula, once for the adder.

    >>> import torch
    >>> layer = LMulLinear(64, 32, mantissa_bits=4)
    >>> layer(torch.randn(8, 64)).shape
    torch.Size([8, 32])
    """

    arithmetic: dict[str, Any]
    kept: KeptOperand
    gain: float  # see lmul.calibrate

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        **arithmetic: Any,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.arithmetic = arithmetic
        self.kept = KeptOperand()
        self.gain = 1.0

    @classmethod
    def from_linear(cls, linear: nn.Linear, **arithmetic: Any) -> LMulLinear:
        """A layer over the same parameters, sharing them, in the same mode."""
        layer = cls(linear.in_features, linear.out_features, bias=False, device="meta", **arithmetic)
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer.train(linear.training)

    @staticmethod
    def settings(config: LMulConfig) -> dict[str, Any]:
        """The instance attributes that make an nn.Linear, whose class is exchanged, into one of these."""
        return {"arithmetic": config.arithmetic, "kept": KeptOperand(), "gain": 1.0}

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Linear names it so)
        """[..., in_features] to [..., out_features]."""
        prepared = self.kept(self.weight.T, self.arithmetic)
        return linear(input, self.weight, self.bias, gain=self.gain, prepared=prepared, **self.arithmetic)

    def extra_repr(self) -> str:
        """The sizes, and what the arithmetic is."""
        chosen = ", ".join(f"{name}={value!r}" for name, value in self.arithmetic.items())
        return f"{super().extra_repr()}, {chosen}" if chosen else super().extra_repr()
