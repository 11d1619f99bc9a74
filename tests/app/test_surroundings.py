"""What a child is given, what is written down about a run, and what its result is known by."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paperworks.app import environment, fingerprint
from paperworks.app.child import checked
from paperworks.app.engine import Local
from paperworks.app.job import BENCH, PRESETS, settings
from paperworks.app.recording import Before, Malformed, Recording
from paperworks.core import Claim, Paper, Untested, UserError, at_least

PAPER = Paper(
    slug="fake",
    arxiv="2410.00001",
    title="A fake",
    authors=("A. Author",),
    field="testing",
    gist="A paper that exists to be run.",
    claims=(Claim(id="C1", says="More.", metric="m", setting="s", source="Table 1", judge=at_least(0, null=0)),),
)
START = b'{"event": "start", "sizes": {"seeds": 3}, "seeds": 3, "environment": {"device": "cpu"}}\n'
TELL = """
names = [name for name in os.environ if name.endswith("_THREADS") or name in ("HF_HUB_OFFLINE", "PYTHONHASHSEED")]
facts = {name: os.environ[name] for name in names} | {
    "lab": [lab.slug, lab.preset, len(lab.seeds), lab.device, lab.threads],
    "sizes": [sizes.seeds, sizes.size],
    "stdin": sys.stdin.read(),
    "group": os.getpgrp() == os.getpid() == os.getsid(0),
}
(HERE / "facts").write_text(json.dumps(facts))
yield found("C1")
yield found("C2")
"""


@pytest.fixture
def tree(tmp_path: Path, make_house: Any) -> Any:
    """A house that is a source tree under version control."""
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    house = make_house(tmp_path / "src")
    house.variables["FAKE_PLACE"] = str(tmp_path)
    house.paper("fake", TELL)
    return house


def test_a_child_is_given_its_share_of_the_cores_and_no_network(tree: Any, tmp_path: Path) -> None:
    tree.variables |= {"OMP_NUM_THREADS": "77", "HF_HUB_OFFLINE": "0"}
    assert tree.call("run", "--preset", "smoke", "--jobs", "1", "--seeds", "5").code == 0
    facts = json.loads((tmp_path / "facts").read_text())
    cores = environment.cores()
    libraries = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "NUMEXPR_NUM", "NUMBA_NUM", "POLARS_MAX", "RAYON_NUM")
    assert {facts.pop(f"{library}_THREADS") for library in libraries} == {str(cores)}
    assert facts["HF_HUB_OFFLINE"] == "1"
    assert facts["lab"] == ["fake", "smoke", 5, "cpu", cores]
    assert facts["sizes"] == [5, 4]
    assert facts["stdin"] == ""
    assert facts["group"] is True


def test_two_papers_at_a_time_share_the_cores() -> None:
    given = environment.child_variables(threads=3, online=True)
    assert given["OMP_NUM_THREADS"] == given["RAYON_NUM_THREADS"] == "3"
    assert "HF_HUB_OFFLINE" not in given


def test_evidence_says_what_it_was_measured_on(tree: Any, tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "pyproject.toml"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "A start"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert tree.call("run", "--preset", "smoke").code == 0
    evidence = tree.evidence("fake")
    assert evidence["commit"] == head
    assert set(evidence["environment"]) == {
        "python", "platform", "cpu", "cores", "gpu", "threads", "device", "packages", "seeds_from",
    }  # fmt: skip
    assert evidence["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert evidence["environment"]["gpu"] is None
    assert set(evidence["cost"]) == {"wall_s", "cpu_s", "peak_mb"}
    assert all(value > 0 for value in evidence["cost"].values())
    assert evidence["cost"]["peak_mb"] < 2000
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in evidence["source"].values())


def test_outside_version_control_there_is_no_commit(house: Any) -> None:
    house.variables["FAKE_PLACE"] = str(house.root)
    house.paper("fake", TELL)
    assert house.call("run", "--preset", "smoke").code == 0
    assert house.evidence("fake")["commit"] is None


def test_a_disk_that_takes_no_evidence_fails_the_paper_and_leaves_no_half_of_it(house: Any) -> None:
    house.paper("fake", "yield found('C1')\nsignal.pause()")
    script = f"ulimit -f 1; exec {sys.executable} -P -m paperworks.app.main run --preset smoke --json"
    done = subprocess.run(["sh", "-c", script], env=house.environment(), cwd=house.root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "its evidence could not be written: [Errno 27] File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (house.home / "runs" / "fake" / "smoke.json").exists()
    assert house.call("run", "--preset", "smoke", "--timeout", "1").code == 1
    assert house.evidence("fake")["state"] == "failed"


def test_published_evidence_that_cannot_be_read_is_left_out_with_a_warning(house: Any) -> None:
    folder = house.paper("fake", "yield") / "evidence"
    folder.mkdir()
    (folder / "quick.json").write_text("{")
    done = house.call("show", "fake")
    assert done.code == 0
    assert done.err.startswith("warning: published evidence fake/quick.json is left out: ")
    assert (folder / "quick.json").read_text() == "{"


class TestPackages:
    def test_an_extra_brings_what_the_extras_within_it_bring(self) -> None:
        found = fingerprint.packages("lmul")
        assert {"torch", "numpy", "numba", "transformers", "scikit-learn"} <= set(found)
        assert not {"typer", "paperworks", "pytest", "mkdocs-material"} & set(found)
        assert all(re.match(r"\d", version) for version in found.values())

    def test_a_slug_without_an_extra_has_none(self) -> None:
        assert fingerprint.packages("no_such_paper") == {}

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('numpy>=1.26; extra == "x"', {"numpy"}),
            ("numpy (>=1.26) ; extra == 'x'", {"numpy"}),
            ('Foo_Bar.baz[a,b]>=1; python_version < "4" and extra == "x"', {"foo-bar-baz"}),
            ('thing @ https://example.org/thing.whl ; extra == "x"', {"thing"}),
            ('paperworks[y-z]; extra == "x"', {"inner"}),
            ('paperworks[x]; extra == "x"', set()),
            ("numpy>=1.26", set()),
        ],
    )
    def test_requirements_are_read_as_they_are_written(
        self, monkeypatch: pytest.MonkeyPatch, line: str, expected: set[str]
    ) -> None:
        monkeypatch.setattr(fingerprint.metadata, "requires", lambda _: [line, 'inner; extra == "y_z"'])
        fingerprint._requirements.cache_clear()
        assert fingerprint._names("x") == expected
        fingerprint._requirements.cache_clear()


class TestRecording:
    @staticmethod
    def recording() -> Recording:
        return Recording(paper=PAPER, preset="quick", source={}, commit=None)

    @pytest.mark.parametrize("cut", range(0, len(START), 7))
    def test_lines_arrive_in_pieces(self, cut: int) -> None:
        recording = self.recording()
        assert [event["event"] for event in recording.take(START[:cut])] == []
        assert [event["event"] for event in recording.take(START[cut:] + b'{"event": "end"}\n')] == ["start", "end"]
        assert recording.evidence is not None
        assert recording.ended

    @pytest.mark.parametrize(
        "line",
        [
            b"\xff\n",
            b"{}\n",
            b"3\n",
            b'{"event": "surprise"}\n',
            b'{"event": "result", "result": {"claim": "C9", "untested": "why"}}\n',
            b'{"event": "result", "result": {"claim": "C1"}}\n',
            b'{"event": "result"}\n',
            b'{"event": "figure", "name": "f", "alt": "", "svg": "<svg/>"}\n',
            b'{"event": "progress", "label": "x", "done": "many", "total": null}\n',
            b'{"event": "start"}\n',
            b'{"event": "progress", "label": "x", "done": 1e999, "total": null}\n',
            b'{"event": "bench", "row": {"case": "no times"}}\n',
            b'{"event": "error", "kind": "crash", "message": ' + b"[" * 100_000 + b"\n",
        ],
    )
    def test_what_a_child_does_not_write_is_malformed(self, line: bytes) -> None:
        recording = self.recording()
        list(recording.take(START))
        with pytest.raises(Malformed):
            list(recording.take(line))

    def test_a_result_before_the_start_is_malformed(self) -> None:
        with pytest.raises(Malformed, match="before its start"):
            list(self.recording().take(b'{"event": "result", "result": {"claim": "C1", "untested": "why"}}\n'))

    def test_a_clock_that_was_set_back_ends_no_run_before_it_began(self) -> None:
        recording = Recording(
            paper=PAPER,
            preset="quick",
            source={},
            commit=None,
            before=Before(started="2999-01-01T00:00:00+00:00", cost={}),
        )
        list(recording.take(START))
        done = recording.finish("complete", None, {"wall_s": 1.0, "cpu_s": 1.0, "peak_mb": 1.0})
        assert done is not None
        assert done.started == done.finished == "2999-01-01T00:00:00+00:00"

    def test_figures_are_kept_with_their_text(self) -> None:
        recording = self.recording()
        list(recording.take(START + b'{"event": "figure", "name": "f", "alt": "A line.", "svg": "<svg/>"}\n'))
        assert recording.evidence is not None
        assert recording.evidence.to_json()["figures"] == {"f": {"alt": "A line.", "svg": "<svg/>"}}


def test_an_experiment_may_be_a_list() -> None:
    why = Untested(claim="C1", reason="needs a GPU")
    assert list(checked(PAPER, [why, why])) == [why]


@pytest.mark.parametrize("preset", [*PRESETS, BENCH])
def test_only_a_paper_run_has_no_time_limit(preset: str) -> None:
    limit = settings(preset=preset, device="cpu", jobs=1).timeout
    assert (limit is None) == (preset == "paper")


def test_a_gpu_run_without_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paperworks.lab.device.cuda_count", lambda: 0)
    with pytest.raises(UserError, match="device cuda is not here"):
        Local().resolve("auto", "gpu")
    assert Local().resolve("cpu", "gpu") == "cpu"
