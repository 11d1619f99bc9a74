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
    """What a pass leaves behind: tokens for good, drafts of those after, and the law of the newest token."""

    accepted: tuple[int, ...]
    drafts: tuple[Draft, ...]
    law: Law


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``initial(left, source)`` drafts a position from its left neighbour; ``test(p, draft, position, source)`` gives
    the token that stands there and whether it is the draft; ``refine(p, draft or None, position, source)`` drafts anew.
    """

    initial: Callable[[Draft, Source], Draft]
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
        drafts.append(rules.initial(drafts[-1] if drafts else Draft(accepted[-1], state.law), source))
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
    return State(accepted + tuple(taken), tuple(refined), laws[len(taken) - 1])


def replacement(p: Law, q: Law) -> Law:
    """max(p - q, 0), not normalised; p where nothing is left."""
    left = tuple(max(above - below, 0.0) for above, below in zip(p, q, strict=True))
    return left if sum(left) > 0 else p


def point(token: int, vocabulary: int) -> Law:
    """The law that gives ``token`` for certain."""
    return tuple(float(v == token) for v in range(vocabulary))


def rules(scheme: Scheme) -> Rules:
    """The rules of ``scheme``, for a sequence without a grid whose whole vocabulary may be drafted."""
    by_noise = scheme.verify == "gumbel"
    return Rules(
        initial=partial(_initial, scheme.init),
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


def _initial(init: str, left: Draft, source: Source) -> Draft:
    vocabulary = len(left.law)
    uniform = (1 / vocabulary,) * vocabulary
    if init == "sample_h":
        return Draft(source.categorical(left.law), left.law)
    if init == "uniform":
        return Draft(source.categorical(uniform), uniform)
    if init == "onehot":
        token = source.categorical(uniform)
    else:
        token = left.token if init == "repeat_h" else left.law.index(max(left.law))
    return Draft(token, point(token, vocabulary))


def _refine_anew(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    return Draft(source.categorical(p), p)


def _refine_by_noise(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    return Draft(source.shared(p, position), p)


def _refine_maximal(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    if draft is None:
        return _refine_anew(p, draft, position, source)
    return Draft(accept_or_replace(p, draft, position, source)[0], p)
