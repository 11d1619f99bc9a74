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


@app.command()
def tasks(
    model: Model,
    task: Annotated[list[str], typer.Option("--task", help="A task of lm-evaluation-harness; repeat it.")],
    arithmetic: Annotated[
        list[str] | None, typer.Option(help="e4m3, carry4, ...; repeat it.  [default: e4m3 e5m2 carry3 carry4]")
    ] = None,
    folder: Annotated[str, typer.Option(help="A folder with tasks of your own, in place of the harness'.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Questions of each task; 0 for all.")] = 0,
    as_json: cli.Json = False,
) -> None:
    """Print a model's accuracy on tasks with its attention in every arithmetic. Started again, it goes on."""
    from .harness import compare

    chosen = {"contenders": arithmetic} if arithmetic else {}
    results = list(compare(model, task, folder=folder, limit=limit, **chosen))
    if as_json:
        cli.print_json([asdict(result) for result in results])
        return
    cli.show(
        cli.table(
            ("task", "attention", "questions", "accuracy", "change, points", "95 % interval"),
            [
                (
                    r.task,
                    r.says,
                    str(r.questions),
                    f"{r.accuracy:.2f} %",
                    f"{r.change:+.2f}",
                    f"[{r.low:+.2f}, {r.high:+.2f}]",
                )
                for r in results
            ],
            title=f"{model}: tasks of lm-evaluation-harness",
        )
    )


@app.command()
def vectors(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    fmt: Annotated[str, typer.Option("--format", help="e4m3, e5m2, bf16, fp16 or fp32.")] = "bf16",
    count: Annotated[int, typer.Option(min=0, help="Random pairs besides the edges; 8 bits have all pairs.")] = 10_000,
    k: Annotated[int | None, typer.Option("--k", help="Mantissa bits of each operand.  [default: all]")] = None,
    variant: Annotated[str, typer.Option(help="carry (the adder) or formula.")] = "carry",
    rounding: Annotated[str, typer.Option(help="truncate or nearest.")] = "truncate",
    offset: Annotated[str, typer.Option(help="L-Mul's constant: paper or a number.")] = "paper",
    seed: Annotated[int, typer.Option(min=0, help="Of the random pairs.")] = 0,
) -> None:
    """Write operands and products as hexadecimal words, for a circuit's test bench (Verilog's $readmemh)."""
    from paperworks.lab.disk import write_atomically

    from .config import LMulConfig
    from .vectors import lines

    try:
        config = LMulConfig(mantissa_bits=k, variant=variant, rounding=rounding, offset=_offset(offset))
        content = "".join(f"{line}\n" for line in lines(fmt, count, config, seed))
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        write_atomically(out, content.encode("ascii"))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    print(f"{out}: {content.count(chr(10)) - content.count('//')} vectors")


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
