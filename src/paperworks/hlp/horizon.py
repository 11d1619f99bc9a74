"""The horizon head and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["HLPConfig", "HLPHead", "HorizonStats", "absolute_errors", "hlp_loss", "horizon_stats"]

_CONSTANT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HLPConfig:
    """``weight``: lambda, what the horizon loss is multiplied by; at 0 training is as without it."""

    weight: float = 0.1

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight={self.weight} would reward wrong horizons; give 0 or more")


class HLPHead(nn.Module):
    """sigmoid(w.h + b): the fraction of the middle that is still to come, from the last hidden states [..., D].

    Both start at zero, where it says 0.5 and moves nothing but itself. D + 1 parameters, in float32.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, hidden: Tensor) -> Tensor:
        """Horizons [...] in (0, 1)."""
        return torch.sigmoid((hidden @ self.weight.to(hidden.dtype)).to(self.bias.dtype) + self.bias)

    def save(self, path: str | Path) -> None:
        """Write it as safetensors."""
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: str | Path) -> HLPHead:
        """The head that was saved there."""
        state = load_file(path)
        head = cls(len(state["weight"]))
        head.load_state_dict(state)
        return head


@dataclass(frozen=True, slots=True)
class HorizonStats:
    """Over the tokens of the middle: mean absolute error, the same for a constant 0.5, and how many there were."""

    mae: float
    constant_mae: float
    middle: int

    @property
    def skill(self) -> float:
        """1 - mae / constant_mae: 0 for a head that knows nothing."""
        return 1 - self.mae / self.constant_mae


def absolute_errors(predictions: Tensor, targets: Tensor) -> Tensor:
    """|prediction - target|, 0 outside the middle: no boolean indexing, which would wait for the device."""
    if predictions.shape != targets.shape:
        raise ValueError(
            f"hlp_targets has the shape {tuple(targets.shape)}, and the tokens {tuple(predictions.shape)}: "
            "there is one target a token"
        )
    return (predictions - targets).abs() * (targets >= 0)


def hlp_loss(hidden: Tensor, head: Any, targets: Tensor, *, normalizer: Tensor | float | None = None) -> Tensor:
    """L1 over the tokens of the middle: ``hidden`` [..., D], ``targets`` [...] with -1 outside.

    Divided by ``normalizer``, by default the number of those tokens; 0 where there is none. Raises ValueError where
    the shapes do not fit.
    """
    errors = absolute_errors(head(hidden), targets)
    count = (targets >= 0).sum() if normalizer is None else torch.as_tensor(normalizer, device=errors.device)
    return errors.sum() / count.clamp(min=1)


def horizon_stats(predictions: Tensor, targets: Tensor) -> HorizonStats:
    """How well a head does. Raises ValueError where no token is of a middle."""
    middle = int((targets >= 0).sum())
    if not middle:
        raise ValueError("no token is of a middle: every target is -1")
    constant = torch.full_like(predictions, _CONSTANT)
    mae, plain = (float(absolute_errors(guess, targets).sum()) / middle for guess in (predictions, constant))
    return HorizonStats(mae, plain, middle)
