"""From a child's lines to the evidence of its run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from paperworks.core import Measurement, Paper, Untested, from_record
from paperworks.lab.timing import BenchRow

from . import strict_json
from .evidence import Evidence, Figure, State

_MAX_LINE = 4_000_000

ErrorKind = Literal["user", "missing", "crash"]


class Malformed(ValueError):
    """What arrived on the events descriptor is not what a child writes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What an earlier, unfinished session of the same run has already taken."""

    started: str
    cost: Mapping[str, float]


@dataclass(slots=True, kw_only=True)
class Recording:
    """The evidence of a run under way. `take` is given bytes as they arrive and tells what they say.

    A second start means that the child was lost with its machine and begins again elsewhere. What was measured stays
    until it is measured again; an equal result changes nothing, another one replaces the first and is noted.
    """

    paper: Paper
    preset: str
    source: Mapping[str, str]
    commit: str | None
    before: Before | None = None
    evidence: Evidence | None = None
    error: tuple[ErrorKind, str] | None = None
    ended: bool = False
    _rest: bytearray = field(default_factory=bytearray)
    _expected: dict[str, Measurement | Untested] = field(default_factory=dict)

    def take(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """The events in ``data``, each after it has been recorded. Raises `Malformed` at the first that is none."""
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            event = _parse(line)
            note = self._record(event)
            yield event
            if note:
                yield {"event": "note", "text": note}
        if len(self._rest) > _MAX_LINE:
            raise Malformed(f"it wrote {len(self._rest)} bytes to the events descriptor without ending the line")

    def finish(self, state: State, error: str | None, cost: Mapping[str, float]) -> Evidence | None:
        """The evidence as the run leaves it, with the cost of earlier sessions added; None where it never began."""
        if self.evidence is None:
            return None
        earlier = self.before.cost if self.before else {}
        total = {name: cost[name] + earlier.get(name, 0.0) for name in ("wall_s", "cpu_s")}
        total["peak_mb"] = max(cost["peak_mb"], earlier.get("peak_mb", 0.0))
        self.evidence = replace(
            self.evidence,
            state=state,
            error=error and error.encode(errors="replace").decode(),  # it may name a path that is no text
            finished=None if state == "partial" else max(now(), self.evidence.started),  # the clock may be set back
            cost={name: round(value, 3) for name, value in total.items()},
        )
        return self.evidence

    def _record(self, event: Mapping[str, Any]) -> str:
        """Record what ``event`` says; what a person should be told of it besides, empty where there is nothing."""
        kind = event.get("event")
        try:
            match kind:
                case "start":
                    self._start(event)
                case "result":
                    return self._measured(from_record(event["result"]))
                case "figure":
                    self.evidence = _with_figure(self._begun(), event)
                case "bench":
                    row = asdict(BenchRow(**event["row"]))
                    self.evidence = replace(self._begun(), bench=(*self._begun().bench, row))
                case "error":
                    self.error = (event["kind"], str(event["message"]))
                case "end":
                    self.ended = True
                case "progress":
                    str(event["label"]), int(event["done"]), event["total"]
                case "note":
                    str(event["text"])
                case _:
                    raise Malformed(f"it wrote an unknown event {kind!r} to the events descriptor")
        except Malformed:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed(f"it wrote a {kind} event that cannot be used: {error}") from error
        return ""

    def _start(self, event: Mapping[str, Any]) -> None:
        lost, self.evidence = self.evidence, self._begin(event)
        self.error, self.ended = None, False
        if lost is not None:
            self._expected = {claim: result.of for claim, result in lost.results.items()}
            self.evidence = replace(self.evidence, started=lost.started, results=lost.results, figures=lost.figures)

    def _measured(self, result: Measurement | Untested) -> str:
        evidence, claim = self._begun(), self.paper.claim(result.claim)
        before = self._expected.pop(claim.id, result)
        if before != result:
            others = {name: other for name, other in evidence.results.items() if name != claim.id}
            evidence = replace(evidence, results=others)
        self.evidence = evidence.with_result(claim, result)
        return "" if before == result else f"{claim.id} was measured again and differs; the later result is kept"

    def _begin(self, event: Mapping[str, Any]) -> Evidence:
        return Evidence(
            slug=self.paper.slug,
            preset=self.preset,
            sizes=dict(event["sizes"]),
            seeds=int(event["seeds"]),
            source=self.source,
            commit=self.commit,
            started=self.before.started if self.before else now(),
            finished=None,
            state="partial",
            error=None,
            environment=dict(event["environment"]),
            cost={},
        )

    def _begun(self) -> Evidence:
        if self.evidence is None:
            raise Malformed("it wrote to the events descriptor before its start event")
        return self.evidence


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _parse(line: bytes) -> Mapping[str, Any]:
    try:
        event = strict_json.loads(line)
    except ValueError as error:
        raise Malformed(f"it wrote to the events descriptor what is no event ({line[:40]!r}): {error}") from error
    if not isinstance(event, dict):
        raise Malformed(f"it wrote to the events descriptor what is no event: {line[:40]!r}")
    return event


def _with_figure(evidence: Evidence, event: Mapping[str, Any]) -> Evidence:
    figure = Figure(alt=event["alt"], svg=event.get("svg", ""), png_base64=event.get("png_base64", ""))
    return replace(evidence, figures={**evidence.figures, str(event["name"]): figure})
