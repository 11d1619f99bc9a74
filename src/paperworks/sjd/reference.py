"""Speculative Jacobi decoding of one sequence, a draft at a time, in plain Python: what the fast code is held against.

Section 2 of the paper, step by step. A law is a tuple of probabilities. What varies between schemes (first drafts,
replacement, refinement) are the functions of a `Rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

from .scheme import Scheme

__all__ = ["Draft", "Law", "Rules", "Source", "State", "decode_pass", "point", "replacement", "rules"]

Law: TypeAlias = tuple[float, ...]
Model: TypeAlias = Callable[[tuple[int, ...]], Law]


class Source(Protocol):
    """Where randomness comes from, one outcome at a time."""

    def bernoulli(self, above: float, below: float) -> bool:
        """True with probability min(1, above / below)."""
        ...

    def categorical(self, law: Law) -> int:
        """A token with weights ``law``, which need not sum to 1."""
        ...

    def shared(self, law: Law, position: int) -> int:
        """A token of ``law`` by the noise that belongs to ``position``."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A guess, and the law that it was drawn from."""

    token: int
    law: Law


@dataclass(frozen=True, slots=True)
class State:
    """What a pass leaves behind: ``taken`` for good, with the laws they were drawn from, and drafts of those after."""

    taken: tuple[Draft, ...]
    drafts: tuple[Draft, ...]

    @property
    def accepted(self) -> tuple[int, ...]:
        """The tokens of ``taken``."""
        return tuple(draft.token for draft in self.taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``initial(before, source)`` drafts a position from all before it; ``test(p, draft, position, source)`` gives
    the token that stands there and whether it is the draft; ``refine(p, draft or None, position, source)`` drafts anew.
    """

    initial: Callable[[tuple[Draft, ...], Source], Draft]
    test: Callable[[Law, Draft, int, Source], tuple[int, bool]]
    bonus: Callable[[Law, int, Source], int]
    refine: Callable[[Law, Draft | None, int, Source], Draft]


def decode_pass(
    state: State, model: Model, rules: Rules, window: int, length: int, source: Source, limit: int | None = None
) -> State:
    """One pass of the model, ``model(prefix)`` being its law after ``prefix``, for a sequence of ``length`` tokens.

    Before the first pass there is no last token, so it has no drafts; it is the pass that reads the prompt. No more
    than ``limit`` tokens are taken, where one is given; what was not reached is refined.
    """
    accepted, drafts = state.accepted, list(state.drafts)
    room = min(window - 1, length - len(accepted) - 1) if accepted else 0  # the last token needs no draft: step 4
    del drafts[room:]
    while len(drafts) < room:  # 1. fill
        drafts.append(rules.initial((*state.taken, *drafts), source))
    guesses = tuple(draft.token for draft in drafts)
    laws = [model(accepted + guesses[:i]) for i in range(len(drafts) + 1)]  # 2. forward
    taken: list[int] = []
    for law, draft in zip(laws, drafts, strict=False):  # 3. verify, left to right
        token, agreed = rules.test(law, draft, len(accepted) + len(taken), source)
        taken.append(token)
        if not agreed or len(taken) == limit:  # 4. replaced (or cut short): nothing after it is tested
            break
    else:
        taken.append(rules.bonus(laws[-1], len(accepted) + len(taken), source))
    after = range(len(taken), len(laws))  # 5. refine
    refined = [rules.refine(laws[i], drafts[i] if i < len(drafts) else None, len(accepted) + i, source) for i in after]
    return State(state.taken + tuple(map(Draft, taken, laws)), tuple(refined))


def replacement(p: Law, q: Law) -> Law:
    """max(p - q, 0), not normalised; p where nothing is left."""
    left = tuple(max(above - below, 0.0) for above, below in zip(p, q, strict=True))
    return left if sum(left) > 0 else p


def point(token: int, vocabulary: int) -> Law:
    """The law that gives ``token`` for certain."""
    return tuple(float(v == token) for v in range(vocabulary))


def rules(scheme: Scheme, width: int | None = None) -> Rules:
    """The rules of ``scheme`` for a sequence whose whole vocabulary may be drafted: a picture of ``width``, if any."""
    by_noise = scheme.verify == "gumbel"
    return Rules(
        initial=partial(_initial, scheme.init, width),
        test=_test_by_noise if by_noise else accept_or_replace,
        bonus=_drawn_by_noise if by_noise else _drawn,
        refine={"independent": _refine_anew, "maximal": _refine_maximal, "gumbel": _refine_by_noise}[scheme.coupling],
    )


def accept_or_replace(p: Law, draft: Draft, position: int, source: Source) -> tuple[int, bool]:
    """Keep the draft with probability min(1, p / q), else draw from the replacement law."""
    if source.bernoulli(p[draft.token], draft.law[draft.token]):
        return draft.token, True
    return source.categorical(replacement(p, draft.law)), False


def _test_by_noise(p: Law, draft: Draft, position: int, source: Source) -> tuple[int, bool]:
    token = source.shared(p, position)
    return token, token == draft.token


def _drawn(p: Law, position: int, source: Source) -> int:
    return source.categorical(p)


def _drawn_by_noise(p: Law, position: int, source: Source) -> int:
    return source.shared(p, position)


def _initial(init: str, width: int | None, before: tuple[Draft, ...], source: Source) -> Draft:
    vocabulary = len(before[-1].law)
    uniform = (1 / vocabulary,) * vocabulary
    near = _neighbour(init, width, before)
    if init == "uniform" or (near is None and init.startswith("sample")):
        return Draft(source.categorical(uniform), uniform)
    if near is None:
        token = source.categorical(uniform)
    elif init.startswith("sample"):
        return Draft(source.categorical(near.law), near.law)
    else:
        token = near.law.index(max(near.law)) if init == "argmax_h" else near.token
    return Draft(token, point(token, vocabulary))


def _neighbour(init: str, width: int | None, before: tuple[Draft, ...]) -> Draft | None:
    """What a first draft is made from, None where it is random or has no such neighbour in the picture."""
    if init in ("onehot", "uniform"):
        return None
    if init.endswith("_v"):
        return before[-width] if width is not None and len(before) >= width else None
    return None if width is not None and len(before) % width == 0 else before[-1]


def _refine_anew(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    return Draft(source.categorical(p), p)


def _refine_by_noise(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    return Draft(source.shared(p, position), p)


def _refine_maximal(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    if draft is None:
        return _refine_anew(p, draft, position, source)
    return Draft(accept_or_replace(p, draft, position, source)[0], p)
