"""``paperworks lmul``: the error of single products, the energy of a model, and any model's perplexity under L-Mul."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli

app = cli.commands("L-Mul: multiplication by integer addition.")

Model = Annotated[str, typer.Option("--model", metavar="DIR_OR_HUB_ID", help="A transformers folder, or a hub id.")]


@app.command()
def table(
    k: Annotated[list[int] | None, typer.Option("--k", help="Mantissa bits; repeat it.  [default: 2 3 4 7]")] = None,
    dist: Annotated[str, typer.Option(help="Operands' mantissas: uniform or benford.")] = "uniform",
    offset: Annotated[str, typer.Option(help="L-Mul's constant: paper, optimal or a number.")] = "paper",
    as_json: cli.Json = False,
) -> None:
    """Print the relative error of one product: L-Mul and ordinary multiplication, by mantissa bits."""
    from .error_table import error_table

    try:
        records = error_table(k or [2, 3, 4, 7], dist, offset=_offset(offset))
    except ValueError as error:
        raise UserError(str(error)) from error
    if as_json:
        cli.print_json(records)
        return
    columns = ("k", "method", "rounding", "bias", "RMS", "mean", "largest")
    numbers = ("bias", "rms", "mean_abs", "max_abs")
    cli.show(
        cli.table(
            columns,
            [
                (str(r["k"]), r["method"], r["rounding"], *(f"{100 * r[name]:.2f} %" for name in numbers))
                for r in records
            ],
            title=f"Relative error of one product, {dist} mantissas",
        )
    )


@app.command()
def energy(
    model: Model,
    seq_len: Annotated[int, typer.Option(min=1, help="Tokens processed at once.")] = 2048,
    as_json: cli.Json = False,
) -> None:
    """Print what a model's multiplications cost in energy, ordinarily and by L-Mul. Weights are not loaded."""
    from transformers import AutoConfig

    from .energy import energy as energy_of

    try:
        report = energy_of(AutoConfig.from_pretrained(model), seq_len)
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{model!r} has no configuration of a causal language model: {first}") from error
    if not as_json:
        cli.show(str(report))
        return
    formats = {
        name: {
            "ordinary_J": report.joules(name, lmul=False),
            "lmul_J": report.joules(name, lmul=True),
            "saving": report.saving(name),
        }
        for name in ("fp32", "fp16")
    }
    cli.print_json({"seq_len": seq_len, "weights": report.weights, "parts": report.records(), "arithmetic": formats})


@app.command("eval")
def evaluate(
    model: Model,
    text: Annotated[
        Path | None, typer.Option(help="A UTF-8 text file.  [default: files of Python's standard library]")
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of the text to read.")] = 20_000,
    arithmetic: Annotated[
        list[str] | None, typer.Option(help="float32, bfloat16, e4m3, carry4, ...; repeat it.  [default: all]")
    ] = None,
    targets: Annotated[str, typer.Option(help="attention, or all (linear layers too).")] = "attention",
    as_json: cli.Json = False,
) -> None:
    """Print a causal language model's perplexity in every arithmetic. Started again, it goes on where it was."""
    from .contenders import CONTENDERS
    from .perplexity import perplexities

    with cli.bars() as progress:
        results = list(
            perplexities(
                model,
                text=None if text is None else _read(text),
                tokens=tokens,
                contenders=arithmetic or tuple(CONTENDERS),
                targets=targets,
                progress=progress,
            )
        )
    if as_json:
        cli.print_json([asdict(result) for result in results])
        return
    cli.show(
        cli.table(
            ("arithmetic", "", "perplexity", "top-1", "loss change, nats", "95 % interval"),
            [
                (
                    r.contender,
                    r.says,
                    f"{r.perplexity:.3f}",
                    f"{r.accuracy:.2f} %",
                    f"{r.change:+.4f}",
                    f"[{r.low:+.4f}, {r.high:+.4f}]",
                )
                for r in results
            ],
            title=f"{model}: {results[0].tokens:,} tokens, arithmetic of {targets}",
        )
    )


def _offset(given: str) -> str | float:
    try:
        return float(given)
    except ValueError:
        return given


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}") from error
