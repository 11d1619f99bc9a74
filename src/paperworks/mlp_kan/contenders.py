"""The three networks that are compared, each as wide as a budget of parameters allows, and how one is trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from paperworks.lab import timing

from . import feynman
from .layers import KANLinear
from .mixture import MLPKAN

__all__ = ["CONTENDERS", "build", "rmse_of_fit"]

_POINTS = 1000
_BATCH = 128
_WIDTH = 8
_LEARNING_RATE = 5e-3


class _Residual(nn.Module):
    def __init__(self, width: int, inner: nn.Module) -> None:
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), inner

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = x + self.inner(self.norm(x))
        return outputs


def _mlp(inputs: int, size: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, size), nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 1))


def _kan(inputs: int, size: int) -> nn.Module:
    return nn.Sequential(KANLinear(inputs, size), KANLinear(size, 1))


def _mlp_kan(inputs: int, size: int) -> nn.Module:
    inner = MLPKAN(_WIDTH, hidden=2 * size, dropout=0.0)
    return nn.Sequential(nn.Linear(inputs, _WIDTH), _Residual(_WIDTH, inner), nn.Linear(_WIDTH, 1))


CONTENDERS: dict[str, Callable[[int, int], nn.Module]] = {"MLP": _mlp, "KAN": _kan, "MLP-KAN": _mlp_kan}


def build(kind: str, *, inputs: int, budget: int) -> nn.Module:
    """The widest network of a kind that has at most ``budget`` parameters.

    Raises ValueError if even the narrowest has more.
    """
    make = CONTENDERS[kind]
    widest = 0
    with torch.device("meta"):
        while sum(parameter.numel() for parameter in make(inputs, widest + 1).parameters()) <= budget:
            widest += 1
    if not widest:
        raise ValueError(f"a budget of {budget} parameters is too small for the narrowest {kind}")
    return make(inputs, widest)


def rmse_of_fit(*, seed: int, kind: str, equation: str, budget: int, steps: int) -> float:
    """RMSE at 1000 new points after training on 1000, in the units of the formula; all random draws follow the seed."""
    rng = np.random.default_rng([seed, list(feynman.TABLE).index(equation)])
    low, high = np.array(feynman.TABLE[equation].ranges).T
    (x, y), (new_x, new_y) = (feynman.load(equation, n=_POINTS, rng=rng) for _ in range(2))
    inputs, new_inputs = (
        torch.tensor(2 * (points - low) / (high - low) - 1, dtype=torch.float32) for points in (x, new_x)
    )
    targets = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    # These networks are so small that waiting for a second thread takes longer than it saves.
    with timing.threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(kind, inputs=x.shape[1], budget=budget)
        _train(network, inputs, targets, steps)
    with torch.no_grad():
        predicted = network(new_inputs)[:, 0].double().numpy() * y.std() + y.mean()
    return float(np.sqrt(np.mean((predicted - new_y) ** 2)))


def _train(network: nn.Module, inputs: Tensor, targets: Tensor, steps: int) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_LEARNING_RATE, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(len(inputs), (_BATCH,))
        loss = (network(inputs[batch])[:, 0] - targets[batch]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
