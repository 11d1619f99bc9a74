"""Call a function of untrusted code, and judge it by values that it never sees.

The inputs go to the child; the expected values do not, and the comparison is made here. So there is nothing to forge:
code that wants to pass must come up with the right values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .inside import values
from .limits import Limits
from .result import Failure, Result
from .running import Script, failure, perform


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The arguments of one call: plain values, made anew in the child for each call."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Call):
    """A call and what should come of it: a value, or, with ``raises``, an exception whose class has that name."""

    expected: Any = None
    raises: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call gave: a ``value``, or an ``error``; neither where the run ended before (``reached`` is False)."""

    reached: bool
    value: Any = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The verdict on a function: whether each case was met, what was seen, and the run."""

    met: tuple[bool, ...]
    outcomes: tuple[Outcome, ...]
    result: Result

    @property
    def passed(self) -> bool:
        """Every case was met."""
        return all(self.met)


def call(
    code: str, function: str, calls: Iterable[Call], *, limits: Limits | None = None, hash_seed: int = 0
) -> tuple[tuple[Outcome, ...], Result]:
    """Run ``code``, then ``function`` (a name or an expression) on each of ``calls``, all in one process.

    An exception ends its call alone; a limit ends the run, and the calls after it are not reached. Raises what `run`
    raises, and TypeError for an argument that is no plain value.
    """
    outcomes, result = _trees(code, function, list(calls), limits, hash_seed)
    return tuple(_outcome(tree) for tree in outcomes), result


def check(
    code: str,
    function: str,
    cases: Iterable[Case],
    *,
    relative_tolerance: float = 0.0,
    limits: Limits | None = None,
    hash_seed: int = 0,
) -> Check:
    """Whether ``function`` of ``code`` gives what each case expects.

    Values are equal as Python has it for plain values (1 equals 1.0, a list is no tuple), but nan equals nan; floats
    may differ by ``relative_tolerance``. A subclass of a plain type is no plain value, so its ``__eq__`` is not asked.

    Raises ValueError without any case, TypeError for an argument or expected value that is no plain value, and what
    `run` raises.
    """
    listed = list(cases)
    if not listed:
        raise ValueError("there is no case; a function that is asked nothing would pass")
    expected = [values.encode(case.expected) for case in listed]
    trees, result = _trees(code, function, listed, limits, hash_seed)
    met = [
        _raised(tree, case.raises) if case.raises is not None else _gave(tree, want, relative_tolerance)
        for tree, case, want in zip(trees, listed, expected, strict=True)
    ]
    return Check(met=tuple(met), outcomes=tuple(_outcome(tree) for tree in trees), result=result)


def _trees(
    code: str, function: str, calls: Sequence[Call], limits: Limits | None, hash_seed: int
) -> tuple[list[dict[str, Any] | None], Result]:
    """What the child said of each call, not yet decoded; None for those it said nothing of."""
    inputs = json.dumps([[values.encode(list(each.args)), values.encode(dict(each.kwargs))] for each in calls])
    script = Script(code=code, limits=limits or Limits(), hash_seed=hash_seed)
    result, records = perform(script, function=function, inputs=inputs)
    said = [record["outcome"] for record in records if isinstance(record.get("outcome"), dict)]
    return [said[index] if index < len(said) else None for index in range(len(calls))], result


def _outcome(tree: dict[str, Any] | None) -> Outcome:
    if tree is None:
        return Outcome(reached=False)
    if "value" not in tree:
        return Outcome(reached=True, error=failure(tree.get("error")))
    try:
        return Outcome(reached=True, value=values.decode(tree["value"]))
    except (ValueError, RecursionError) as wrong:
        return Outcome(reached=True, error=Failure(type=type(wrong).__name__, message=str(wrong)))


def _raised(tree: dict[str, Any] | None, name: str) -> bool:
    return tree is not None and "value" not in tree and failure(tree.get("error")).type == name


def _gave(tree: dict[str, Any] | None, expected: Any, relative_tolerance: float) -> bool:
    if tree is None or "value" not in tree:
        return False
    try:
        return _alike(tree["value"], expected, relative_tolerance)
    except RecursionError:
        return False


def _alike(got: Any, expected: Any, tolerance: float) -> bool:
    """Equality of encoded values. They are compared without being built, which the code could make expensive."""
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(got) == len(expected)
            and all(_alike(one, other, tolerance) for one, other in zip(got, expected, strict=True))
        )
    if isinstance(expected, dict):
        return isinstance(got, dict) and _alike_objects(got, expected, tolerance)
    if isinstance(expected, float) and isinstance(got, int | float):
        return math.isclose(got, expected, rel_tol=tolerance)
    return not isinstance(got, list | dict) and bool(got == expected)


def _alike_objects(got: dict[str, Any], expected: dict[str, Any], tolerance: float) -> bool:
    if got.get("$") != expected.get("$"):
        return False
    in_order: Callable[[Any], Any] = lambda part: part  # noqa: E731
    if expected.get("$") in {"set", "frozenset", "dict"}:
        in_order = _sorted
    return got.keys() == expected.keys() and all(
        _alike(in_order(got[key]) if key == "of" else got[key], in_order(part) if key == "of" else part, tolerance)
        for key, part in expected.items()
    )


def _sorted(parts: Any) -> Any:
    """The members of a set, or the pairs of a dict, in an order that depends on them alone."""
    return sorted(parts, key=json.dumps) if isinstance(parts, list) else parts
