"""What holds for every test: one thread, no network, folders of its own, the same examples each time.

This file is imported before any test module, so the environment is set before torch, triton or numpy are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from paperworks.lab.device import has_cuda

HERE = Path(__file__).resolve().parent
AXE = HERE.parent / "node_modules" / "axe-core" / "axe.min.js"
HOUSE = {"core", "lab", "app"}
PAPER_BUDGET_S, HOUSE_BUDGET_S = 100, 500
IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ

if not has_cuda():
    os.environ["TRITON_INTERPRET"] = "1"
for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "RAYON"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
os.environ |= {"POLARS_MAX_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}
if not IS_XDIST_WORKER:  # workers inherit the folders of the process that started them
    _TEMPORARY = tempfile.mkdtemp(prefix="paperworks-tests-")
    os.environ |= {"PAPERWORKS_HOME": f"{_TEMPORARY}/home", "PAPERWORKS_CACHE": f"{_TEMPORARY}/cache"}

hypothesis.settings.register_profile("house", derandomize=True, deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("house")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not IS_XDIST_WORKER:
        shutil.rmtree(_TEMPORARY, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out `gpu` where there is no CUDA device, and `long` unless ``-m`` asks for it."""
    left_out = set() if has_cuda() else {"gpu"}
    if "long" not in config.option.markexpr:
        left_out.add("long")
    kept = [item for item in items if not any(item.get_closest_marker(mark) for mark in left_out)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


@pytest.fixture(scope="module")
def own_datasets_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The data sets library keeps what it has read beside the tests, not in the user's home."""
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The machine's own Chromium, driven by playwright, whose event loop must end before a test of asyncio begins."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "the browser tests need Chromium: install the package 'chromium'"
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which looks for what a screen reader or a keyboard could not use."""
    assert AXE.is_file(), f"{AXE} is missing: run npm ci --ignore-scripts"
    return AXE.read_text()


class CpuTable:
    """CPU seconds by test folder, those of finished child processes included, over every xdist worker."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.tests[_folder(item.path)] += 1
        with self._charged_to(item.path):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        if not isinstance(collector, pytest.Module):
            return (yield)
        with self._charged_to(collector.path):  # a test module's imports are part of what its folder costs
            return (yield)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (report := getattr(session.config, "workeroutput", None)) is not None:
            report["cpu"] = {"seconds": dict(self.seconds), "tests": dict(self.tests)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        report = getattr(node, "workeroutput", {}).get("cpu", {})  # a worker that crashed reports nothing
        self.seconds.update(report.get("seconds", {}))
        self.tests.update(report.get("tests", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.seconds:
            return
        terminalreporter.section("CPU seconds by folder")
        for line in self._lines():
            terminalreporter.line(line)

    @contextmanager
    def _charged_to(self, path: Path) -> Iterator[None]:
        before = _cpu_s()
        try:
            yield
        finally:
            self.seconds[_folder(path)] += _cpu_s() - before

    def _lines(self) -> Iterator[str]:
        yield f"{'folder':<22}{'tests':>7}{'CPU s':>9}{'budget':>9}"
        for name in sorted(set(self.seconds) - HOUSE):
            yield _line(name, self.tests[name], self.seconds[name], PAPER_BUDGET_S)
        for name in sorted(HOUSE & set(self.seconds)):
            yield _line(name, self.tests[name], self.seconds[name], None)
        if here := HOUSE & set(self.seconds):
            tests, seconds = (sum(count[name] for name in here) for count in (self.tests, self.seconds))
            yield _line("core + lab + app", tests, seconds, HOUSE_BUDGET_S)


class FaultTable:
    """The faults that long tests injected and how each came out, told by the fixture `survived`; over every worker."""

    HEAD = ("Test", "Fault", "Injected", "Times", "Outcome")

    def __init__(self) -> None:
        self.rows: list[tuple[str, ...]] = []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (report := getattr(session.config, "workeroutput", None)) is not None:
            report["faults"] = self.rows

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.rows += getattr(node, "workeroutput", {}).get("faults", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.rows:
            return
        terminalreporter.section("faults survived")
        for row in (self.HEAD, ["---"] * len(self.HEAD), *sorted(map(tuple, self.rows))):
            terminalreporter.line(f"| {' | '.join(row)} |")


@pytest.fixture
def survived(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Says, at the end of a long test, which fault was injected, how, how many times, and what came of it."""
    table: Any = request.config.pluginmanager.getplugin("fault-table")

    def say(*, fault: str, how: str, times: int, outcome: str) -> None:
        table.rows.append((f"`{request.node.name}`", fault, how, str(times), outcome))

    return say


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(CpuTable(), "cpu-table")
    config.pluginmanager.register(FaultTable(), "fault-table")


def _folder(path: Path) -> str:
    """The paper or part of the house that a test file belongs to; docs and README stand for themselves."""
    try:
        parts = path.relative_to(HERE).parts
    except ValueError:
        return path.parent.name if path.suffix == ".py" else "docs"
    return parts[0] if len(parts) > 1 else "tests"


def _cpu_s() -> float:
    """CPU seconds of this process and of the child processes that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _line(name: str, tests: int, seconds: float, budget: int | None) -> str:
    over = "  over budget" if budget is not None and seconds > budget else ""
    return f"{name:<22}{tests:>7}{seconds:>9.1f}{budget if budget is not None else '':>9}{over}"
