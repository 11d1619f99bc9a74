"""A run that begins again on another machine: what it measured before stays, and nothing is counted twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paperworks.app.recording import Malformed, Recording
from paperworks.core import Claim, Measurement, Paper, at_least, to_record

CLAIMS = tuple(
    Claim(id=name, says="It is.", metric="a number", setting="any", source="Table 1", judge=at_least(0, null=0))
    for name in ("C1", "C2")
)
PAPER = Paper(
    slug="made_up", arxiv="2410.00001", title="A", authors=("B",), field="testing", gist="A paper.", claims=CLAIMS
)


@pytest.fixture
def recording() -> Recording:
    return Recording(paper=PAPER, preset="smoke", source={"paper": "a", "house": "b"}, commit=None)


def start(cpu: str) -> dict[str, Any]:
    return {"event": "start", "sizes": {"seeds": 3}, "seeds": 3, "environment": {"cpu": cpu}}


def result(claim: str, value: float) -> dict[str, Any]:
    found = Measurement(
        claim=claim, value=value, low=value, high=value, interval="exact", n=1, scale="same", setting="a test"
    )
    return {"event": "result", "result": to_record(found)}


def figure(alt: str) -> dict[str, Any]:
    return {"event": "figure", "name": "one", "alt": alt, "svg": "<svg/>"}


def told(recording: Recording, *events: dict[str, Any]) -> list[Any]:
    """The events that come of ``events``."""
    data = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return list(recording.take(data))


def values(recording: Recording) -> dict[str, float]:
    assert recording.evidence is not None
    return {claim: found.of.value for claim, found in recording.evidence.results.items()}  # type: ignore[union-attr]


def test_what_was_measured_before_the_machine_was_lost_stays_until_it_is_measured_again(recording: Recording) -> None:
    told(recording, start("one"), result("C1", 1.0), figure("before"), start("other"))
    assert values(recording) == {"C1": 1.0}
    assert recording.evidence is not None
    assert recording.evidence.environment == {"cpu": "other"}
    assert list(recording.evidence.figures) == ["one"]


def test_an_equal_result_is_dropped(recording: Recording) -> None:
    told(recording, start("one"), result("C1", 1.0))
    again = told(recording, start("other"), result("C1", 1.0), result("C2", 2.0))
    assert [event["event"] for event in again] == ["start", "result", "result"]
    assert values(recording) == {"C1": 1.0, "C2": 2.0}


def test_another_result_replaces_the_first_and_is_reported(recording: Recording) -> None:
    told(recording, start("one"), result("C1", 1.0), result("C2", 2.0))
    again = told(recording, start("other"), result("C1", 1.5))
    assert again[-1] == {"event": "note", "text": "C1 was measured again and differs; the later result is kept"}
    assert values(recording) == {"C1": 1.5, "C2": 2.0}


def test_within_one_attempt_a_second_different_result_is_an_error(recording: Recording) -> None:
    told(recording, start("one"), result("C1", 1.0), start("other"), result("C1", 1.0))
    with pytest.raises(Malformed, match="second, different result"):
        told(recording, result("C1", 1.5))


def test_what_an_attempt_said_of_its_end_is_void_once_another_begins(recording: Recording) -> None:
    error = {"event": "error", "kind": "crash", "message": "it broke"}
    told(recording, start("one"), error, {"event": "end"}, start("other"))
    assert (recording.error, recording.ended) == (None, False)


def test_rows_of_a_bench_are_not_doubled(recording: Recording) -> None:
    times = {"ours_s": 1.0, "peer_s": 2.0, "ratio": 0.5, "low": 0.4, "high": 0.6, "limit_s": None, "target": None}
    row = {"event": "bench", "row": {"case": "one", "peer": "another", **times}}
    told(recording, start("one"), row, start("other"), row)
    assert recording.evidence is not None
    assert len(recording.evidence.bench) == 1
