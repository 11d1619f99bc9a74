"""The settings of a model with selective attention, as `hf.enable` takes them and config.json keeps them. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["SelectiveConfig"]

ALL = "all"

Budgets = int | Sequence[int | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveConfig:
    """How a model selects, and how much its caches keep.

    ``selector_head``: the query head whose logits vote (Section 2). ``protect``: how many tokens at the beginning of
    each sequence are never voted on. ``layers``: the layers that select, or ``"all"``; the others attend as ever.
    ``budgets``: the tokens that a layer's cache keeps from one step to the next (Section 3), one number for every
    selecting layer, or one a layer with None for no limit. ``mem_loss_eps`` and ``mem_tau``: weight and clamp of the
    memory loss that `SelectiveTrainer` adds; a weight of 0 adds none.

    Raises ValueError for a number that is out of range.
    """

    selector_head: int = 0
    protect: int = 1
    budgets: Budgets = None
    mem_loss_eps: float = 0.0
    mem_tau: float = 1.0
    layers: str | Sequence[int] = ALL

    def __post_init__(self) -> None:
        if self.selector_head < 0 or self.protect < 0:
            raise ValueError(f"selector_head={self.selector_head} and protect={self.protect} must be 0 or more")
        if self.mem_loss_eps < 0 or self.mem_tau <= 0:
            raise ValueError(
                f"mem_loss_eps={self.mem_loss_eps} must be 0 or more, and mem_tau={self.mem_tau} more than 0"
            )
        if isinstance(self.layers, str) and self.layers != ALL:
            raise ValueError(f"layers is {ALL!r} or the numbers of the layers that select, not {self.layers!r}")
        for name in ("layers", "budgets"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, tuple(value))
        for budget in self.budgets if isinstance(self.budgets, tuple) else (self.budgets,):
            check_budget(budget, self.protect)

    def selects(self, layer: int) -> bool:
        """Whether this layer selects."""
        return isinstance(self.layers, str) or layer in self.layers

    def budgets_of(self, layers: int, budgets: Budgets = None) -> tuple[int | None, ...]:
        """The budget of each of the model's ``layers``; ``budgets`` takes the place of the configured ones.

        Raises ValueError where there are not as many as layers, where one is too small, or where a layer that does not
        select has one.
        """
        given = self.budgets if budgets is None else budgets
        if given is None or isinstance(given, int):
            return tuple(check_budget(given, self.protect) if self.selects(layer) else None for layer in range(layers))
        if len(given) != layers:
            raise ValueError(f"{len(given)} budgets do not fit {layers} layers: give one a layer, or one for all")
        for layer, budget in enumerate(given):
            if check_budget(budget, self.protect) is not None and not self.selects(layer):
                raise ValueError(
                    f"layer {layer} does not select, so nothing says what to drop: its budget must be None"
                )
        return tuple(given)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: what config.json stores."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> SelectiveConfig:
        """Settings from `to_dict`; ValueError for one that does not exist."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(settings) - set(known)):
            raise ValueError(f"unknown settings {', '.join(unknown)}: choose from {', '.join(known)}")
        return cls(**settings)


def check_budget(budget: int | None, protect: int) -> int | None:
    """``budget`` if it holds the protected tokens and two more, else ValueError; None is no limit."""
    if budget is not None and budget < protect + 2:
        raise ValueError(f"a budget must hold {protect} protected tokens and two more, not {budget}")
    return budget
