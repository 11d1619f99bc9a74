"""Schemes that look right and are not, as `reference.Rules`: what an exact enumeration must tell from the right ones.

Each has been seen in released code or is an easy mistake. None of them is offered to users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from .reference import Draft, Law, Rules, Source, accept_or_replace, point, replacement, rules
from .scheme import Scheme

__all__ = ["LOSSLESS", "LOSSY", "Control"]


@dataclass(frozen=True, slots=True)
class Control:
    """``rules`` and, in ``limit``, how many tokens a pass may take before something else cuts it short."""

    rules: Rules
    limit: int | None = None


_PAPER = rules(Scheme(init="uniform", coupling="independent"))
_COUPLED = rules(Scheme(init="uniform", coupling="maximal"))


def _keep(
    p: Law, draft: Draft | None, position: int, source: Source, *, kept_law: Callable[[Law, Draft], Law]
) -> Draft:
    """Maximal coupling that declares ``kept_law`` as the law of a draft that stays."""
    if draft is None:
        return Draft(source.categorical(p), p)
    token, stays = accept_or_replace(p, draft, position, source)
    return Draft(token, kept_law(p, draft) if stays else p)


def _stale(p: Law, draft: Draft | None, position: int, source: Source) -> Draft:
    """The old draft, whatever the new law is, declared as drawn from it."""
    return Draft(source.categorical(p) if draft is None else draft.token, p)


def _sharpened_replacement(p: Law, draft: Draft, position: int, source: Source) -> tuple[int, bool]:
    """The temperature of 0.7 that made p applied once more, to what a rejected draft is replaced from."""
    if source.bernoulli(p[draft.token], draft.law[draft.token]):
        return draft.token, True
    return source.categorical(tuple(weight ** (1 / 0.7) for weight in replacement(p, draft.law))), False


def _constant(before: tuple[Draft, ...], source: Source) -> Draft:
    """Always token 0, declared as a draw from the uniform law."""
    vocabulary = len(before[-1].law)
    return Draft(0, (1 / vocabulary,) * vocabulary)


def _fresh_equals(p: Law, draft: Draft, position: int, source: Source) -> tuple[int, bool]:
    """Plain Jacobi decoding under sampling: take a draft where a fresh draw happens to equal it."""
    token = source.categorical(p)
    return token, token == draft.token


_OLD_LAW: Callable[..., Draft] = partial(_keep, kept_law=lambda p, draft: draft.law)
_NEW_LAW: Callable[..., Draft] = partial(_keep, kept_law=lambda p, draft: p)

LOSSY: Mapping[str, Control] = {
    "cut short by another row, kept tokens with their old law": Control(replace(_PAPER, refine=_OLD_LAW), limit=1),
    "temperature applied again to the residual": Control(replace(_PAPER, test=_sharpened_replacement)),
    "fixed first drafts declared as uniform": Control(replace(_PAPER, initial=_constant)),
    "old drafts declared as drawn from the new law": Control(replace(_PAPER, refine=_stale)),
    "coupled drafts, kept ones with their old law": Control(replace(_COUPLED, refine=_OLD_LAW)),
}
"""What changes the law of the output."""

LOSSLESS: Mapping[str, Control] = {
    "cut short by another row, every draft with its new law": Control(replace(_PAPER, refine=_NEW_LAW), limit=1),
    "plain Jacobi decoding under sampling": Control(
        replace(_PAPER, test=_fresh_equals, initial=lambda before, source: Draft(0, point(0, len(before[-1].law))))
    ),
}
"""Their right neighbours, and a scheme that is right but hardly ever accepts."""
