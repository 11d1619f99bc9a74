"""The three networks that are compared, each as wide as a budget of parameters allows, and how well one fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paperworks.lab import device as devices
from paperworks.lab import timing

from . import feynman, training
from .function_nets import residual_network
from .network import KAN

__all__ = ["CONTENDERS", "build", "parameters", "rmse_of_fit", "seconds_of_steps", "widest"]

_POINTS = 1000
_WIDTH = 8


def _mlp(inputs: int, size: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, size), nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 1))


def _kan(inputs: int, size: int) -> nn.Module:
    return KAN((inputs, size, 1))


def _mlp_kan(inputs: int, size: int) -> nn.Module:
    return residual_network(inputs, width=_WIDTH, hidden=2 * size)


CONTENDERS: dict[str, Callable[[int, int], nn.Module]] = {"MLP": _mlp, "KAN": _kan, "MLP-KAN": _mlp_kan}


def parameters(module: nn.Module) -> int:
    """How many numbers of a module are trained."""
    return sum(parameter.numel() for parameter in module.parameters())


def widest(make: Callable[[int], nn.Module], budget: int) -> int:
    """The largest size of a network that ``make`` makes of at most ``budget`` parameters; 0 where there is none."""
    with torch.device("meta"):
        return bisect_right(range(1, budget), budget, key=lambda size: parameters(make(size)))


def build(kind: str, *, inputs: int, budget: int) -> nn.Module:
    """The widest network of a kind that has at most ``budget`` parameters.

    Raises ValueError if even the narrowest has more.
    """
    make = partial(CONTENDERS[kind], inputs)
    size = widest(make, budget)
    if not size:
        raise ValueError(f"a budget of {budget} parameters is too small for the narrowest {kind}")
    return make(size)


def rmse_of_fit(*, seed: int, kind: str, equation: str, budget: int, steps: int, device: str = "cpu") -> float:
    """RMSE at 1000 new points after training on 1000, in the units of the formula; all random draws follow the seed."""
    rng = np.random.default_rng([seed, list(feynman.TABLE).index(equation)])
    (x, y), (new_x, new_y) = (feynman.load(equation, n=_POINTS, rng=rng) for _ in range(2))
    inputs, new_inputs = (_scaled(points, equation).to(device) for points in (x, new_x))
    targets = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32, device=device)
    # These networks are so small that waiting for a second thread takes longer than it saves.
    with timing.threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(kind, inputs=x.shape[1], budget=budget).to(device)
        training.fit(training.recipe(network, inputs, targets, steps=steps, seed=seed), steps)
        with torch.no_grad():
            predicted = network(new_inputs)[:, 0].double().cpu().numpy() * y.std() + y.mean()
    return float(np.sqrt(np.mean((predicted - new_y) ** 2)))


def _scaled(x: NDArray[np.float64], equation: str) -> Tensor:
    low, high = np.array(list(feynman.TABLE[equation].ranges.values())).T
    return torch.tensor(2 * (x - low) / (high - low) - 1, dtype=torch.float32)


def seconds_of_steps(*, inputs: int, budget: int, repeats: int = 7, device: str = "cpu") -> dict[str, float]:
    """Seconds of one training step of each kind of network, taken in turns, for formulas of ``inputs`` variables."""
    with timing.threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        x, y = torch.rand(_POINTS, inputs, device=device) * 2 - 1, torch.randn(_POINTS, device=device)
        steps = {
            kind: training.recipe(build(kind, inputs=inputs, budget=budget).to(device), x, y, steps=10**9, seed=0)
            for kind in CONTENDERS
        }
        first, *others = steps
        found = timing.compare(
            steps[first],
            {kind: steps[kind] for kind in others},
            repeats,
            synchronize=lambda: devices.synchronize(device),
        )
    return {first: found.ours_s, **{kind: found.peers[kind].seconds for kind in others}}
