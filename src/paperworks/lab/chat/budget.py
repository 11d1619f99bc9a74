"""How much may be spent on answers, and how much has been."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from .errors import BudgetExceeded
from .reply import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a million tokens cost, in whatever currency all prices of a budget share."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        if not (0 <= self.prompt < math.inf and 0 <= self.completion < math.inf):
            raise ValueError(
                f"a price a million tokens is a finite number from 0, not {self.prompt}, {self.completion}"
            )

    def of(self, usage: Usage) -> float:
        """What these tokens cost."""
        return (self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The account: attempts that cost something, answers that came from the cache, tokens, and money.

    ``money`` covers the models that have a price; ``unpriced`` counts the tokens of the others.
    """

    calls: int = 0
    cached: int = 0
    usage: Usage = field(default_factory=Usage)
    money: float = 0.0
    unpriced: int = 0


class Budget:
    """Limits in tokens, in money, or none, shared by every `Chat` that is given it, in any task or thread.

    Before a question is asked, room for the largest possible answer is set aside: the prompt's bytes and
    ``max_tokens``. What does not fit waits until answers under way have come in for less; when none is under way it
    is asked alone. So the limits are exceeded by no more than one answer. A question without ``max_tokens`` has no
    largest answer and is always asked alone; where there are no limits, nothing waits. A server that writes past
    ``max_tokens``, or counts an image for more than `IMAGE_TOKENS`, can exceed it by as many such answers as are under
    way.

    ``prices`` are by the name that the backend was given. Raises ValueError for a limit that is not above 0, and, when
    asked, for a model without a price under a limit in money.
    """

    def __init__(
        self,
        *,
        tokens: int | None = None,
        money: float | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        for name, limit in (("tokens", tokens), ("money", money)):
            if limit is not None and not 0 < limit < math.inf:
                raise ValueError(f"a budget's {name} is a number above 0 or None, not {limit!r}")
        self.tokens = tokens
        self.money = money
        self.prices = dict(prices or {})
        self._spent = Spent()
        self._under_way: list[_Room] = []
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        return f"Budget(tokens={self.tokens}, money={self.money}, spent={self.spent})"

    @property
    def spent(self) -> Spent:
        """The account so far."""
        with self._lock:
            return self._spent

    def count_cached(self) -> None:
        """Note an answer that cost nothing."""
        with self._lock:
            self._spent = replace(self._spent, cached=self._spent.cached + 1)

    @asynccontextmanager
    async def admit(self, model: str, largest: Usage | None) -> AsyncIterator[Bill]:
        """Set room aside for one answer of at most ``largest``, waiting for it if need be; settle by the `Bill`.

        Raises BudgetExceeded where a limit is reached.
        """
        price = self._price(model)
        room = _Room(math.inf, math.inf)
        if largest is not None:
            room = _Room(largest.total, price.of(largest) if price else 0.0)
        while (free := self._take(room)) is not None:
            await free
        bill = Bill()
        try:
            yield bill
        finally:
            self._settle(room, bill.usage, price)

    def _price(self, model: str) -> Price | None:
        price = self.prices.get(model)
        if price is None and self.money is not None:
            known = ", ".join(sorted(self.prices)) or "none"
            raise ValueError(f"a budget in money needs a price for {model!r}; prices are there for: {known}")
        return price

    def _take(self, room: _Room) -> asyncio.Future[None] | None:
        """None where the answer is admitted, else what to wait for before trying again."""
        with self._lock:
            self._refuse_if_spent()
            if self._under_way and not self._fits(room):
                free = asyncio.get_running_loop().create_future()
                self._waiting.append(free)
                return free
            self._under_way.append(room)
            return None

    def _refuse_if_spent(self) -> None:
        if self.tokens is not None and self._spent.usage.total >= self.tokens:
            raise BudgetExceeded(f"the budget of {self.tokens} tokens is spent ({self._spent.usage.total} used)")
        if self.money is not None and self._spent.money >= self.money:
            raise BudgetExceeded(f"the budget of {self.money:g} is spent ({self._spent.money:.6g} used)")

    def _fits(self, room: _Room) -> bool:
        reserved = [*self._under_way, room]
        return (
            self.tokens is None or self._spent.usage.total + sum(taken.tokens for taken in reserved) <= self.tokens
        ) and (self.money is None or self._spent.money + sum(taken.money for taken in reserved) <= self.money)

    def _settle(self, room: _Room, usage: Usage | None, price: Price | None) -> None:
        with self._lock:
            self._under_way.remove(room)
            if usage is not None:
                self._spent = _added(self._spent, usage, price)
            waiting, self._waiting = self._waiting, []
        for free in waiting:
            with contextlib.suppress(RuntimeError):  # its loop was closed: nobody waits any more
                free.get_loop().call_soon_threadsafe(_wake, free)


@dataclass(frozen=True, slots=True)
class _Room:
    """What is set aside for an answer under way."""

    tokens: float
    money: float


class Bill:
    """What one answer has cost; None until somebody says."""

    def __init__(self) -> None:
        self.usage: Usage | None = None


def _added(spent: Spent, usage: Usage, price: Price | None) -> Spent:
    return replace(
        spent,
        calls=spent.calls + 1,
        usage=spent.usage + usage,
        money=spent.money + (price.of(usage) if price else 0.0),
        unpriced=spent.unpriced + (0 if price else usage.total),
    )


def _wake(free: asyncio.Future[None]) -> None:
    if not free.done():
        free.set_result(None)
