"""Evidence from anybody: it is read as what it says, or refused. Never an exception, never a wrong verdict."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperworks.app.report import write_report
from paperworks.app.store import to_bytes

ATHERIS_RUNS = 500_000
FUZZ = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
WORDS = ("claim", "low", "high", "value", "untested", "claim_digest", "C1", "C2", "exact", "seeds", "stand-in", "svg")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([10**400, -1e308, 1e-320, -0.0, 0.5, 1.0, float("nan"), float("inf")])
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "<script>", "2026-13-45", "\x00"])
)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner))


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every part of a JSON value, as the container that it is in and its key there."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [place for key in keys for place in [(tree, key), *places(tree[key])]]


@st.composite
def mutated(draw: st.DrawFn, record: dict[str, Any]) -> bytes:
    """The text of an evidence file in which some parts were replaced, removed, renamed, doubled or exchanged."""
    tree = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(tree)))
        what = draw(st.sampled_from(["replace", "nudge", "remove", "rename", "double", "exchange"]))
        other, its = draw(st.sampled_from(places(tree)))
        match what:
            case "nudge" if isinstance(container[key], int | float):
                container[key] += draw(st.sampled_from([-2, -1, -0.5, 0.5, 1]))
            case "remove":
                del container[key]
            case "rename" if isinstance(container, dict):
                container[draw(st.sampled_from(WORDS))] = container.pop(key)
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case "exchange":
                container[key], other[its] = copy.deepcopy(other[its]), copy.deepcopy(container[key])
            case _:
                container[key] = draw(TREES)
        if not places(tree):
            break
    text = json.dumps(tree, ensure_ascii=draw(st.booleans()))
    return text.encode(errors="surrogatepass")


@st.composite
def spliced(draw: st.DrawFn, text: bytes) -> bytes:
    """A text of which a piece was cut out and another put in, of its own or of something else."""
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    piece = draw(
        st.binary(max_size=4) | st.sampled_from([text[first:last], b"1", b"null", b"{}", b"\\ud800", b"1e999"])
    )
    return text[:start] + piece + text[end:]


def from_anybody(evidence: Any) -> st.SearchStrategy[bytes]:
    record = evidence.to_json()
    plain = json.dumps(record).encode()
    return mutated(record) | spliced(plain) | spliced(to_bytes(evidence)) | st.binary(max_size=40)


def check_reader(oracle: Any, data: bytes, folder: Path) -> bool:
    """Whether the bytes are evidence; where they are, a report can be made of it too."""
    evidence = oracle.check(data)
    if evidence is not None:
        write_report(folder, local={"fake": {"quick": evidence}}, published={}, of={"fake": oracle.PAPER})
    return evidence is not None


def test_the_reader_holds_against_anybody(oracle: Any, sample_evidence: Any, tmp_path: Path) -> None:
    read = 0

    @settings(max_examples=300, **FUZZ)
    @given(from_anybody(sample_evidence))
    def run(data: bytes) -> None:
        nonlocal read
        read += check_reader(oracle, data, tmp_path)

    run()
    assert read >= 30, "what is never read tests nothing"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_five_thousand_files_from_anybody(oracle: Any, sample_evidence: Any, tmp_path: Path, survived: Any) -> None:
    read = total = 0

    @settings(max_examples=5_000, **FUZZ)
    @given(from_anybody(sample_evidence))
    def run(data: bytes) -> None:
        nonlocal read, total
        total += 1
        read += check_reader(oracle, data, tmp_path)

    run()
    survived(
        fault="an evidence file that somebody changed",
        how="hypothesis: parts replaced, removed, renamed, doubled, exchanged; text spliced",
        times=total,
        outcome=f"{read} still evidence, read as what they say, reported and judged rightly; the others refused",
    )


@pytest.mark.long
@pytest.mark.timeout(600)
def test_atheris_finds_no_way_through_the_reader(sample_evidence: Any, tmp_path: Path, survived: Any) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "whole.json").write_bytes(to_bytes(sample_evidence))
    (corpus / "unsealed.json").write_text(json.dumps(sample_evidence.to_json()))
    program = Path(__file__).with_name("evidence_oracle.py")
    command = [sys.executable, program, corpus, f"-runs={ATHERIS_RUNS}", "-seed=1", "-max_len=4000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs
    assert not list(tmp_path.glob("crash-*"))
    survived(
        fault="an evidence file of any bytes",
        how="atheris, guided by coverage of the reader",
        times=int(runs[1]),
        outcome="read as what it says, or refused",
    )
