"""How the networks that are compared, and those of tables, are trained: one recipe for all."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Step", "fit", "recipe"]

_BATCH = 128
_LEARNING_RATE = 5e-3

Step = Callable[[], None]


def recipe(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    steps: int,
    seed: int,
    penalty: Callable[[Tensor], Tensor] | None = None,
) -> Step:
    """One step of AdamW on the squared error, to be taken ``steps`` times, on inputs [n, features] and targets [n].

    The learning rate rises to 5e-3 and falls again (one cycle); batches are drawn by a generator of their own. What
    ``penalty`` makes of a batch's inputs is added to the loss.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    size = min(_BATCH, len(inputs))

    def step() -> None:
        batch = torch.randint(len(inputs), (size,), generator=generator).to(inputs.device)
        given = inputs[batch]
        loss = (network(given)[:, 0] - targets[batch]).square().mean()
        if penalty is not None:
            loss = loss + penalty(given)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    return step


def fit(step: Step, steps: int, *, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Takes ``steps`` steps; ``progress`` hears how many of them are done."""
    for done in range(steps):
        progress(done, steps)
        step()
    progress(steps, steps)
