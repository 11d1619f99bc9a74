"""Which of several runs speaks for a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paperworks.app.evidence import Evidence
from paperworks.core import Claim, Measurement, Untested, Verdict, verdict

ORDER = ("paper", "gpu", "full", "quick")
"""The presets that are evidence, the largest first. A smoke run is none, and a bench has no claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The result that speaks for a claim, and the preset it comes from; both None where nothing was run.

    ``stale`` marks a result that was measured before the claim's metric or judge changed: it is not judged.
    """

    claim: Claim
    verdict: Verdict
    preset: str | None = None
    result: Measurement | Untested | None = None
    stale: bool = False

    @property
    def measurement(self) -> Measurement | None:
        """The number, where there is one that still counts."""
        return self.result if isinstance(self.result, Measurement) and not self.stale else None

    @property
    def stand_in(self) -> bool:
        """True where a stand-in was measured: such a verdict is drawn hollow and left out of the headline."""
        return self.measurement is not None and self.measurement.scale == "stand-in"

    @property
    def reason(self) -> str:
        """Why there is no verdict, in a sentence; "" where there is one."""
        if self.claim.untestable:
            return self.claim.untestable
        if self.stale:
            return f"judged anew: run again (--preset {self.preset})"
        if isinstance(self.result, Untested):
            return self.result.reason
        return "not run yet" if self.result is None else ""


def choose(claim: Claim, runs: Mapping[str, Evidence], order: Sequence[str] = ORDER) -> Chosen:
    """The result for ``claim`` among ``runs`` (preset -> evidence) of one origin.

    A number of the first preset of ``order`` that has one; else a number that has to be judged anew; else the reason
    that the first preset gives.
    """
    held = [(preset, runs[preset]) for preset in order if preset in runs]
    for preset, run in held:
        result = run.of(claim)
        if isinstance(result, Measurement):
            return Chosen(claim=claim, preset=preset, result=result, verdict=verdict(claim, result))
    for preset, run in held:
        if run.is_stale(claim):
            result = run.results[claim.id].of
            return Chosen(claim=claim, preset=preset, result=result, stale=True, verdict=Verdict.UNTESTED)
    for preset, run in held:
        if (reason := run.of(claim)) is not None:
            return Chosen(claim=claim, preset=preset, result=reason, verdict=Verdict.UNTESTED)
    return Chosen(claim=claim, verdict=Verdict.UNTESTED)
