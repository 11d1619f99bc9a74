"""Budgets for the layers of a model, found greedily (Section 3): as little memory as a loss allows.

The search starts from twice the smallest uniform budget that reaches the target, takes away a quarter of a layer's
budget at a time, wherever that hurts least, and at last ``step`` tokens at a time. A layer whose cut misses the target
is left out for the rest of a pass, since the others only get smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .models import attention_modules, settings_of
from .pruned_loss import PrunedLoss

__all__ = ["BudgetPoint", "BudgetResult", "find_budgets"]

Progress = Callable[[str, int, int], None]
Budgets = tuple[int, ...]

_ROOM = 2
_PASSES = (0.25, 0.0)
"""The share of a budget that is cut at a time, at least the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPoint:
    """Budgets, one a layer, and the loss in nats a token with them."""

    budgets: Budgets
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetResult:
    """What a search found. ``complete`` is false where it was interrupted: smaller budgets may do as well.

    ``budgets`` has one number a layer, the length of the context where nothing is dropped, and ``loss`` is that with
    them, in nats a token. ``curve`` leads from the whole context down to them.
    """

    budgets: Budgets
    loss: float
    curve: tuple[BudgetPoint, ...]
    context: int
    complete: bool = True

    @property
    def memory_factor(self) -> float:
        """How many times smaller the cache is than that of the whole context: L N / sum_l K_l."""
        return self.context * len(self.budgets) / sum(self.budgets)


def find_budgets(
    model: Any,
    batches: Iterable[Tensor | Mapping[str, Tensor]],
    target_loss: float,
    *,
    step: int = 8,
    progress: Progress | None = None,
) -> BudgetResult:
    """The smallest budgets, found greedily, with which ``model`` has a loss of at most ``target_loss`` nats a token.

    ``batches`` are token ids [B, N], or mappings with ``input_ids`` and perhaps an ``attention_mask``, as long as the
    context that the budgets are for. ``progress`` hears how many stored tokens, over all layers, are saved of how many.
    The same model and batches give the same budgets. Ctrl-C ends the search with what it has.

    Raises ValueError where the model misses the target without any pruning, where there is nothing to evaluate, and for
    a step below 1.
    """
    given = [batch if isinstance(batch, Mapping) else {"input_ids": batch} for batch in batches]
    context = max((batch["input_ids"].shape[1] for batch in given), default=0)
    if context < 2 or step < 1:
        raise ValueError(f"sequences of two tokens and a step of 1 are the least, not {context} and {step}")
    settings, layers = settings_of(model.config), len(attention_modules(model))
    search = _Search(
        loss=PrunedLoss(model, given),
        whole=(context,) * layers,
        open=frozenset(layer for layer in range(layers) if settings.selects(layer)),
        floor=min(settings.protect + 2, context),
        target=target_loss,
    )
    curve, complete = [search.point(search.whole)], True
    if curve[0].loss > target_loss:
        raise ValueError(
            f"the loss is {curve[0].loss:.4f} without any pruning, above the target of {target_loss:.4f}: raise that"
        )
    try:
        for point in search.descend(step):
            curve.append(point)
            if progress is not None:
                progress("find budgets", context * layers - sum(point.budgets), context * layers)
    except KeyboardInterrupt:
        complete = False
    best = min(curve, key=lambda point: sum(point.budgets))
    return BudgetResult(budgets=best.budgets, loss=best.loss, curve=tuple(curve), context=context, complete=complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What a search knows from the beginning; ``open`` are the layers that can be cut."""

    loss: PrunedLoss
    whole: Budgets
    open: frozenset[int]
    floor: int
    target: float

    def point(self, budgets: Budgets) -> BudgetPoint:
        """The budgets with their loss."""
        return BudgetPoint(budgets=budgets, loss=self.loss(budgets))

    def descend(self, step: int) -> Iterator[BudgetPoint]:
        """Budgets that reach the target: the smallest uniform ones, then twice these, cut by cut."""
        smallest = self._smallest_uniform()
        yield smallest
        current = self.point(tuple(map(min, (_ROOM * budget for budget in smallest.budgets), self.whole)))
        if current.loss > self.target:  # more memory need not be better; then there is no room to begin from
            current = smallest
        for share in _PASSES:
            candidates = set(self.open)
            while candidates:
                best = self._least_harm(current.budgets, candidates, step, share)
                if best is not None:
                    current = best
                    yield current

    def _smallest_uniform(self) -> BudgetPoint:
        """By bisection, the smallest budget of all open layers alike that reaches the target."""
        low, high = self.floor, self.whole[0]
        while low < high:
            middle = (low + high) // 2
            if self.loss(self._uniform(middle)) <= self.target:
                high = middle
            else:
                low = middle + 1
        return self.point(self._uniform(high))

    def _uniform(self, budget: int) -> Budgets:
        return tuple(budget if layer in self.open else whole for layer, whole in enumerate(self.whole))

    def _least_harm(self, current: Budgets, candidates: set[int], step: int, share: float) -> BudgetPoint | None:
        """The cut of one candidate with the lowest loss, if it reaches the target; who misses it, or can be cut no
        further, is a candidate no more."""
        self.loss.remember(current)
        best: BudgetPoint | None = None
        for layer in sorted(candidates):
            less = max(self.floor, current[layer] - max(step, int(share * current[layer])))
            point = self.point((*current[:layer], less, *current[layer + 1 :]))
            if less == current[layer] or point.loss > self.target:
                candidates.discard(layer)
            elif best is None or point.loss < best.loss:
                best = point
        return best
