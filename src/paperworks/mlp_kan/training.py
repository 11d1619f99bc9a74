"""How the networks that are compared, and those of tables, are trained: one recipe for all."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Loss", "Step", "Watch", "fit", "lbfgs", "recipe", "squared_error"]

_BATCH = 128
_LEARNING_RATE = 5e-3

Step = Callable[[], Tensor]
"""Changes a network's weights, and gives what the loss was before."""
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

    def step() -> Tensor:
        rows = torch.randint(len(inputs), (size,), generator=generator).to(inputs.device)
        given = inputs[rows]
        cost = loss(network(given), targets[rows])
        if penalty is not None:
            cost = cost + penalty(given)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        schedule.step()
        return cost.detach()

    return step


def lbfgs(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    penalty: Callable[[Tensor], Tensor] | None = None,
    loss: Loss = squared_error,
    iterations: int = 1,
) -> Step:
    """A step of so many ``iterations`` of L-BFGS, each with a line search, on the loss over all rows."""
    optimiser = torch.optim.LBFGS(
        network.parameters(), max_iter=iterations, history_size=20, line_search_fn="strong_wolfe"
    )

    def cost() -> Tensor:
        optimiser.zero_grad()
        total = loss(network(inputs), targets)
        if penalty is not None:
            total = total + penalty(inputs)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    def step() -> Tensor:
        before: Tensor = optimiser.step(cost)  # type: ignore[no-untyped-call]
        return before.detach()

    return step


class Watch:
    """Looks every ``every`` steps how a network does on rows held out, and keeps its weights where it did best.

    ``patience`` looks without a new best are too many.
    """

    def __init__(
        self, network: nn.Module, inputs: Tensor, targets: Tensor, *, loss: Loss, every: int, patience: int
    ) -> None:
        self._network, self._inputs, self._targets, self._loss = network, inputs, targets, loss
        self._every, self._patience = every, patience
        self._waited, self._kept = 0, copy.deepcopy(network.state_dict())
        self.best = float("inf")

    @torch.no_grad()
    def has_seen_enough(self, done: int) -> bool:
        """Whether to stop after ``done`` steps."""
        if done % self._every:
            return False
        error = float(self._loss(self._network(self._inputs), self._targets))
        self._waited += 1
        if error < self.best:
            self.best, self._waited, self._kept = error, 0, copy.deepcopy(self._network.state_dict())
        return self._waited >= self._patience

    def restore(self) -> None:
        """Give the network the weights with which it did best."""
        self._network.load_state_dict(self._kept)


def fit(
    step: Step,
    steps: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    watch: Watch | None = None,
) -> list[float]:
    """Takes ``steps`` steps, or as many as ``watch`` lets pass, which also puts the best weights back that it saw.

    ``progress`` hears how many are done. Returns the loss before each step.
    """
    losses: list[Tensor] = []
    for done in range(steps):
        progress(done, steps)
        losses.append(step())
        if watch is not None and watch.has_seen_enough(done + 1):
            break
    if watch is not None:
        watch.restore()
    progress(steps, steps)
    return torch.stack(losses).tolist() if losses else []
