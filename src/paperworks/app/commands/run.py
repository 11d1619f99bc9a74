"""``paperworks run`` and ``paperworks bench``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from paperworks.app import console as screen
from paperworks.app import engine as engines
from paperworks.app import fingerprint, job
from paperworks.app.engine import Engine, Local
from paperworks.app.job import BENCH, Settings
from paperworks.app.live_report import LiveReport
from paperworks.app.report.numbers import plain, seconds
from paperworks.app.runner import Runner
from paperworks.app.store import Store
from paperworks.app.watch import Outcome, Watchers
from paperworks.core import Paper, UserError, paper, papers, to_record, verdict
from paperworks.lab import cli, places

_WIDE = 100
_NOT_RUN = {"missing", "refused"}
_FAILED = 1


def run_papers(
    names: Sequence[str], *, preset: str, device: str, jobs: int | None, engine: str, as_json: bool, **options: Any
) -> None:
    """Run the papers, all without ``names``, and print their verdicts. Exits 1, 2 or 130 where that went wrong."""
    job.preset_of(preset)
    machines = engines.named(engine)
    device = machines.resolve(job.device_of(device), preset)
    jobs = machines.places(device) if jobs is None else jobs
    settings = job.settings(preset=preset, device=device, jobs=jobs, **options)
    chosen = list({about.slug: about for about in map(paper, names)}.values()) or list(papers().values())
    store = Store(places.home(), warn=cli.warn)
    report = LiveReport(store.home / "report", store, warn=cli.warn)
    report.write(live=True)
    if report.path is not None and not as_json:
        print(f"report: {report.path} (it fills in as papers finish)")
    try:
        runner, outcomes = _run(chosen, settings, store, machines, [report], quiet=as_json)
    finally:
        report.write(live=False)
    if as_json:
        cli.print_json(_run_json(settings, store, outcomes, report))
    else:
        if (table := screen.verdict_table(outcomes, wide=cli.console().width >= _WIDE)) is not None:
            cli.show("", table)
        if report.path is not None:
            print(f"\nreport: {report.path}")
    _exit(outcomes, stopped=runner.stopped)


def run_bench(name: str, *, device: str, as_json: bool, **options: Any) -> None:
    """Run a paper's bench and print its ratios."""
    about = paper(name)
    if not _has_bench(about.slug):
        raise UserError(f"{about.command} has no bench; {_with_bench()}")
    here = Local()
    device = here.resolve(job.device_of(device), BENCH)
    settings = job.settings(preset=BENCH, device=device, jobs=1, **options)
    store = Store(places.home(), warn=cli.warn)
    runner, outcomes = _run([about], settings, store, here, [], quiet=as_json)
    evidence = outcomes[0].evidence
    rows = list(evidence.bench) if evidence else []
    if as_json:
        cli.print_json(
            {**_outcome_json(outcomes[0], store), "rows": [{**row, "target_met": _is_met(row)} for row in rows]}
        )
    elif rows:
        cli.show("", _bench_table(rows))
    _exit(outcomes, stopped=runner.stopped)


def _run(
    chosen: Sequence[Paper],
    settings: Settings,
    store: Store,
    machines: Engine,
    watchers: Sequence[LiveReport],
    *,
    quiet: bool,
) -> tuple[Runner, list[Outcome]]:
    """Run with lines or bars: on standard output, or, where that is kept for JSON, on standard error."""
    with screen.watcher(cli.console(sys.stderr if quiet else sys.stdout), chosen) as lines, machines:
        runner = Runner(settings, store, Watchers([lines, *watchers]), machines)
        return runner, runner.run(chosen)


def _exit(outcomes: Sequence[Outcome], *, stopped: bool) -> None:
    if stopped:
        print("stopped: what was measured is kept; run the same command again to resume", file=sys.stderr)
        raise typer.Exit(cli.INTERRUPTED)
    kinds = {outcome.kind for outcome in outcomes}
    if "failed" in kinds:
        raise typer.Exit(_FAILED)
    if kinds & _NOT_RUN:
        raise typer.Exit(cli.USAGE)


def _run_json(settings: Settings, store: Store, outcomes: Sequence[Outcome], report: LiveReport) -> dict[str, Any]:
    return {
        "preset": settings.preset,
        "device": settings.device,
        "papers": [_outcome_json(outcome, store) for outcome in outcomes],
        "report": str(report.path) if report.path else None,
    }


def _outcome_json(outcome: Outcome, store: Store) -> dict[str, Any]:
    about, evidence = outcome.paper, outcome.evidence
    path = store.path(about.slug, outcome.preset)
    return {
        "slug": about.slug,
        "outcome": outcome.kind,
        "message": outcome.message or None,
        "evidence": str(path) if path.is_file() else None,
        "log": str(outcome.log) if outcome.log and outcome.log.is_file() else None,
        "cost": dict(evidence.cost) if evidence else None,
        "claims": [
            {"verdict": str(verdict(claim, found)), **(to_record(found) if found else {"claim": claim.id})}
            for claim in about.claims
            for found in [evidence.of(claim) if evidence else None]
        ],
    }


def _bench_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    cells = [
        (
            row["case"],
            seconds(row["ours_s"]),
            f"{row['peer']}, {seconds(row['peer_s'])}",
            f"{row['ratio']:.3g} [{row['low']:.3g}, {row['high']:.3g}]",
            _target(row),
            "–" if row["limit_s"] is None else f"{row['limit_s'] / row['ours_s']:.0%}",
        )
        for row in rows
    ]
    return cli.table(("case", "ours", "peer", "ours / peer's", "target", "limit"), cells, folded=("case", "peer"))


def _target(row: Mapping[str, Any]) -> Text:
    met = _is_met(row)
    if met is None:
        return Text("–")
    mark, style = ("✓ met", "green") if met else ("✗ not met", "red")
    return Text(f"≤ {plain(row['target'])} {mark}", style=style)


def _is_met(row: Mapping[str, Any]) -> bool | None:
    return None if row["target"] is None else bool(row["ratio"] <= row["target"])


def _has_bench(slug: str) -> bool:
    return (fingerprint.PACKAGE / slug / "bench.py").is_file()


def _with_bench() -> str:
    having = [about.command for slug, about in papers().items() if _has_bench(slug)]
    return f"those that have one are {', '.join(having)}" if having else "no paper has one yet"
