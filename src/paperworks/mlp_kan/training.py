"""How the networks that are compared, and those of tables, are trained: one recipe for all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Loss", "Step", "fit", "recipe", "squared_error"]

_BATCH = 128
_LEARNING_RATE = 5e-3

Step = Callable[[], None]
Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean squared error of outputs [n, 1] for targets [n]."""
    return (outputs[:, 0] - targets).square().mean()


def recipe(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    steps: int,
    seed: int,
    penalty: Callable[[Tensor], Tensor] | None = None,
    batch: int = _BATCH,
    learning_rate: float = _LEARNING_RATE,
    loss: Loss = squared_error,
) -> Step:
    """One step of AdamW on the loss, to be taken ``steps`` times, on inputs [n, features] and targets [n].

    The learning rate rises to its peak and falls again (one cycle); batches are drawn by a generator of their own. What
    ``penalty`` makes of a batch's inputs is added to the loss.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    size = min(batch, len(inputs))

    def step() -> None:
        rows = torch.randint(len(inputs), (size,), generator=generator).to(inputs.device)
        given = inputs[rows]
        cost = loss(network(given), targets[rows])
        if penalty is not None:
            cost = cost + penalty(given)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        schedule.step()

    return step


def fit(step: Step, steps: int, *, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Takes ``steps`` steps; ``progress`` hears how many of them are done."""
    for done in range(steps):
        progress(done, steps)
        step()
    progress(steps, steps)
