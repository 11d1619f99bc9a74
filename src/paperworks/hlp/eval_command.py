"""``paperworks hlp eval``: how well a model fills the holes of a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from rich.table import Table

    from .evaluation import Evaluation, Task
    from .rules import Rule

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[str, typer.Option(metavar="DIR_OR_HUB_ID", help="A model with sentinels.")] = "shipped",
    task: Annotated[
        list[str] | None,
        typer.Option(help="line, span, block, control, call, exec, or a benchmark; repeat it.  [default: line call]"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The benchmark's file, in place of the hub's.")] = None,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="Holes a task.")] = 100,
    rule: Annotated[
        list[str] | None, typer.Option(help="truth-lines, syntax or overlap: scored with it too; repeat it.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest filling.")] = 96,
    end_bias: Annotated[float, typer.Option(min=0, help="How much the horizon moves the end; 0: not at all.")] = 0.0,
    out: Annotated[Path | None, typer.Option(help="A file for all fillings and their scores (JSON lines).")] = None,
    as_json: cli.Json = False,
) -> None:
    """Print how well a model fills holes, as it writes and after rules that cut. Started again, it goes on."""
    rules = _rules(rule or [])
    tasks = [_task(name, n, data) for name in task or ("line", "call")]
    from paperworks.lab import Lab

    from .evaluation import FIMEval, scored
    from .infill_lm import load
    from .infilling import Decoding

    loaded, tokenizer, version = load(model)
    evaluation = FIMEval(
        lab=Lab("hlp", preset="eval"),
        model_id=version,
        max_new_tokens=max_tokens,
        decoding=Decoding(end_bias=end_bias),
    )
    found: list[Evaluation] = []
    with cli.bars() as progress:
        for one in tasks:
            holes = one.holes()[:n]
            try:
                filled = evaluation.fill(loaded, tokenizer, one.name, holes, progress)
            except ValueError as error:
                raise UserError(str(error)) from error
            found += [scored(one.name, holes, filled, cut) for cut in ((), rules)[: 1 + bool(rules)]]
    if out is not None:
        _write(out, found)
    if as_json:
        cli.print_json([{"task": each.task, "rules": each.rules, "metrics": each.summary()} for each in found])
        return
    cli.show(_table(model, found))


def _rules(names: list[str]) -> tuple[Rule, ...]:
    from .rules import RULES

    if unknown := sorted(set(names) - set(RULES)):
        raise UserError(f"there is no rule {', '.join(unknown)}; choose from {', '.join(RULES)}")
    return tuple(RULES[name] for name in names)


def _task(name: str, n: int, data: Path | None) -> Task:
    from .benchmarks import BENCHMARKS
    from .holes import KINDS, StdlibFIM
    from .stdlib_exec import StdlibExec

    if name in BENCHMARKS:
        return BENCHMARKS[name](data)
    if name == "exec":
        return StdlibExec(n=n)
    if name in KINDS:
        return StdlibFIM(kind=name, n=n)
    raise UserError(f"there is no task {name!r}; choose from {', '.join((*KINDS, 'exec', *BENCHMARKS))}")


def _table(model: str, found: list[Evaluation]) -> Table:
    from .evaluation import METRICS

    summaries = [(each, each.summary()) for each in found]
    rows = [
        (each.task, ", ".join(each.rules) or "none", METRICS[name], *_cells(row))
        for each, summary in summaries
        for name, row in summary.items()
    ]
    return cli.table(("task", "rules", "metric", "value", "95 % interval", "holes"), rows, title=f"{model}: infilling")


def _cells(row: dict[str, float | None]) -> tuple[str, str, str]:
    interval = "–" if row["low"] is None else f"[{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['value']:.2f}", interval, f"{row['n']:.0f}"


def _write(out: Path, found: list[Evaluation]) -> None:
    from paperworks.lab.disk import write_atomically

    lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for each in found for record in each.records())
    try:
        write_atomically(out, lines.encode())
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
