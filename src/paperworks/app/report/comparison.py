"""Two runs of one paper side by side, claim by claim: yours against the published, or two of yours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paperworks.app.evidence import Evidence
from paperworks.core import Claim, Measurement, Paper

from .choice import ORDER, Chosen, choose
from .difference import Change, Difference, change, difference, noise
from .surroundings import Differing, differing, sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two: what it is called, and its runs (preset -> evidence).

    ``order`` are the presets that may speak for a claim, the first that has a number before the others.
    """

    name: str
    runs: Mapping[str, Evidence]
    order: Sequence[str] = ORDER

    def run_of(self, chosen: Chosen) -> Evidence | None:
        """The run that ``chosen`` comes from."""
        return self.runs[chosen.preset] if chosen.preset else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimChange:
    """A claim on both sides. ``difference`` is the second minus the first, where the two can be compared.

    ``because`` says why they cannot, "" otherwise. ``caveats`` are what besides the run differs in this claim's two
    numbers; ``noise`` is what the difference's interval accounts for.
    """

    claim: Claim
    first: Chosen
    second: Chosen
    change: Change
    difference: Difference | None = None
    noise: str = ""
    because: str = ""
    caveats: tuple[str, ...] = ()

    @property
    def verdict_differs(self) -> bool:
        """True where both sides have a number and it is judged differently."""
        return self.difference is not None and self.first.verdict is not self.second.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPair:
    """Two runs that were compared, and what differs between them besides the numbers."""

    first: Evidence
    second: Evidence
    differing: tuple[Differing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides of one paper. ``gone`` are ids of results whose claim the paper no longer has."""

    paper: Paper
    first: Side
    second: Side
    claims: tuple[ClaimChange, ...]
    runs: tuple[RunPair, ...]
    gone: tuple[str, ...]

    def of(self, what: Change) -> tuple[ClaimChange, ...]:
        """The claims to which that happened."""
        return tuple(one for one in self.claims if one.change is what)

    @property
    def compared(self) -> int:
        """How many claims have a number on both sides that can be compared."""
        return sum(one.difference is not None for one in self.claims)


def compare(paper: Paper, first: Side, second: Side) -> Comparison:
    """Every claim of ``paper`` on both sides.

    For each, the largest preset at which both have a number is compared; where there is none, what speaks for the
    claim on either side.
    """
    claims = tuple(_claim_change(claim, first, second) for claim in paper.claims)
    known = {claim.id for claim in paper.claims}
    runs = [run for side in (first, second) for preset, run in side.runs.items() if preset in side.order]
    results = [name for run in runs for name in run.results]
    return Comparison(
        paper=paper,
        first=first,
        second=second,
        claims=claims,
        runs=_run_pairs(first, second, claims),
        gone=tuple(dict.fromkeys(name for name in results if name not in known)),
    )


def _claim_change(claim: Claim, first: Side, second: Side) -> ClaimChange:
    one, other = _alike(claim, first, second)
    because = _why_not(claim, (first, one), (second, other))
    if because or not (isinstance(one.result, Measurement) and isinstance(other.result, Measurement)):
        return ClaimChange(claim=claim, first=one, second=other, change=Change.APART, because=because)
    return ClaimChange(
        claim=claim,
        first=one,
        second=other,
        change=change(one.result, other.result),
        difference=difference(one.result, other.result),
        noise=noise(one.result, other.result),
        caveats=_caveats((first, one), (second, other)),
    )


def _alike(claim: Claim, first: Side, second: Side) -> tuple[Chosen, Chosen]:
    """What speaks for the claim on either side, from runs of the same preset where both have its number."""
    for preset in (preset for preset in first.order if preset in first.runs and preset in second.runs):
        one, other = (choose(claim, side.runs, (preset,)) for side in (first, second))
        if one.measurement and other.measurement:
            return one, other
    return choose(claim, first.runs, first.order), choose(claim, second.runs, second.order)


def _why_not(claim: Claim, first: tuple[Side, Chosen], second: tuple[Side, Chosen]) -> str:
    """Why the two cannot be compared, in a sentence; "" where they can."""
    without = [(side, chosen) for side, chosen in (first, second) if not isinstance(chosen.result, Measurement)]
    if len(without) == 2:
        reasons = [_no_number(side, chosen) for side, chosen in without]
        return (
            reasons[0] if reasons[0] == reasons[1] else f"{first[0].name}: {reasons[0]}; {second[0].name}: {reasons[1]}"
        )
    if without:
        return f"{without[0][0].name}: {_no_number(*without[0])}"
    if _digest(*first) != _digest(*second):
        return "measured for two forms of the claim, whose metric or judge has changed in between: run again"
    units = [chosen.result.unit for _, chosen in (first, second) if isinstance(chosen.result, Measurement)]
    return f"in two units, {units[0]!r} and {units[1]!r}" if units[0] != units[1] else ""


def _no_number(side: Side, chosen: Chosen) -> str:
    ended = {run.state for preset, run in side.runs.items() if preset in side.order}
    if chosen.result is not None or chosen.claim.untestable or not ended:
        return chosen.reason
    if "failed" in ended:
        return "the run failed before it came to this claim"
    return "the run has not come to this claim" if "partial" in ended else "the claim is newer than the run"


def _digest(side: Side, chosen: Chosen) -> str:
    run = side.run_of(chosen)
    return run.results[chosen.claim.id].claim_digest if run else ""


def _caveats(first: tuple[Side, Chosen], second: tuple[Side, Chosen]) -> tuple[str, ...]:
    runs = [side.run_of(chosen) for side, chosen in (first, second)]
    results = [chosen.result for _, chosen in (first, second)]
    found = []
    if first[1].stale:
        found.append("both were measured for an earlier form of the claim: run again")
    if runs[0] and runs[1] and sizes(runs[0]) != sizes(runs[1]):
        presets = f" ({runs[0].preset} and {runs[1].preset})" if runs[0].preset != runs[1].preset else ""
        found.append(f"at other sizes{presets}")
    if isinstance(results[0], Measurement) and isinstance(results[1], Measurement):
        if results[0].scale != results[1].scale:
            found.append(f"at other scales ({results[0].scale} and {results[1].scale})")
        if results[0].setting != results[1].setting:
            found.append("in other settings")
    return tuple(found)


def _run_pairs(first: Side, second: Side, claims: tuple[ClaimChange, ...]) -> tuple[RunPair, ...]:
    """The pairs of runs whose numbers were compared; where none was, the largest run of either side."""
    used = {
        (one.first.preset, one.second.preset): (first.run_of(one.first), second.run_of(one.second))
        for one in claims
        if one.difference is not None
    }
    pairs = [(one, other) for one, other in used.values() if one and other] or _largest(first, second)
    return tuple(RunPair(first=one, second=other, differing=differing(one, other)) for one, other in pairs)


def _largest(first: Side, second: Side) -> list[tuple[Evidence, Evidence]]:
    held = [[side.runs[preset] for preset in side.order if preset in side.runs] for side in (first, second)]
    return [(held[0][0], held[1][0])] if all(held) else []
