"""What tests/conftest.py promises to every test, tried on a small suite of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"
SUITE = {
    "core/test_core.py": "def test_core(): pass\n",
    "lmul/test_paper.py": """
import os, subprocess, sys
import pytest

def test_environment():
    threads = [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "RAYON")]
    assert threads == ["1"] * 6
    assert os.environ["TRITON_INTERPRET"] == "1"
    assert "paperworks-tests-" in os.environ["PAPERWORKS_HOME"]
    assert "paperworks-tests-" in os.environ["PAPERWORKS_CACHE"]

def test_children_are_charged():
    code = "import time\\nwhile time.process_time() < 0.6: pass"
    subprocess.run([sys.executable, "-c", code], check=True)

@pytest.mark.gpu
def test_gpu(): assert False

@pytest.mark.long
def test_long(): assert False
""",
}


@pytest.fixture
def suite(tmp_path: Path):
    """Runs pytest on the suite, as on a machine without a GPU; returns the finished process."""
    tests = tmp_path / "tests"
    for name, source in SUITE.items():
        (tests / name).parent.mkdir(parents=True)
        (tests / name).write_text(source)
    hide_gpu = "from paperworks.lab import device\ndevice._driver_device_count = lambda: 0\n"
    (tests / "conftest.py").write_text(
        CONFTEST.read_text().replace("import hypothesis\n", f"{hide_gpu}import hypothesis\n")
    )
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    gpu: x\n    long: x\naddopts = -q --import-mode=importlib\n"
    )

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PAPERWORKS_"))}
        clean |= {"PAPERWORKS_HOME": str(tmp_path / "users"), "TMPDIR": str(tmp_path / "tmp")}
        (tmp_path / "tmp").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "tests"]
        return subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_table_of_cpu_seconds_stands_before_the_closing_line(suite, workers, tmp_path):
    run = suite("-n", workers)
    assert run.returncode == 0, run.stdout
    lines = run.stdout.strip().splitlines()
    assert re.match(r"3 passed(, 2 deselected)? in ", lines[-1])
    table = lines[next(i for i, line in enumerate(lines) if "CPU seconds by folder" in line) + 1 : -1]
    cells = {line[:22].strip(): line[22:].split() for line in table}
    assert list(cells) == ["folder", "lmul", "core", "core + lab + app"]
    assert cells["lmul"][0] == "2"
    assert float(cells["lmul"][1]) >= 0.6, "a child process is charged to the test that waited for it"
    assert cells["lmul"][2] == "100"
    assert (cells["core"][0], cells["core + lab + app"][2]) == ("1", "500")
    assert not list((tmp_path / "tmp").glob("paperworks-tests-*")), "the session's folders are gone"
    assert not (tmp_path / "users").exists()


def test_long_tests_run_when_asked_for_and_gpu_tests_never_without_one(suite):
    run = suite("-n0", "-m", "long or gpu")
    assert "1 failed, 4 deselected" in run.stdout
    assert "test_long" in run.stdout
