"""``paperworks sjd``: pictures by speculative Jacobi decoding, beside those of plain decoding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from .drawing import Way
    from .showing import Shown

app = cli.commands("Speculative Jacobi decoding: the same pictures in fewer passes of the model.")


@app.callback()
def group() -> None:
    """Speculative Jacobi decoding: the same pictures in fewer passes of the model."""
    # typer makes a group of a single command only where there is this


@app.command()
def sample(
    model: Annotated[
        str,
        typer.Option(
            metavar="DIR_OR_HUB_ID",
            help="A model made by paperworks.sjd.train_image_model.  [default: the one that comes with paperworks]",
        ),
    ] = "",
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="What to draw; repeat it.  [default: all that it knows]")
    ] = None,
    window: Annotated[int, typer.Option(min=1, help="Tokens of a pass.")] = 32,
    scheme: Annotated[
        str,
        typer.Option(help="reproducible (draws what plain decoding draws from the same seed), fast, or paper."),
    ] = "reproducible",
    top_k: Annotated[int, typer.Option("--top-k", min=0, help="Likeliest codes to draw from; 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="A seed and a prompt are a picture.")] = 0,
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("grid.png"),
    compare: Annotated[bool, typer.Option("--compare", help="Draw plainly too, in a row above.")] = False,
    as_json: cli.Json = False,
) -> None:
    """Draw pictures, write them as one PNG, and print what each took."""
    from paperworks.lab.disk import write_atomically

    from .showing import model_of, sheet, show

    ways = _ways(scheme, window, top_k, compare=compare)
    try:
        image = model_of(model)
        with cli.bars() as progress:
            shown = show(image, prompt or image.prompts, seed, ways, progress)
    except ValueError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{model!r} is no folder, and not to be had from the hub: {_first_line(error)}") from error
    try:
        write_atomically(out, sheet(shown))
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from error
    if as_json:
        cli.print_json([_record(one) for one in shown])
        return
    columns = ("prompt", "decoder", "passes", "seconds")
    rows = [(one.prompt, one.decoder, str(one.passes), f"{one.seconds:.2f}") for one in shown]
    cli.show(cli.table(columns, rows), _summary(shown, out))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _ways(scheme: str, window: int, top_k: int, *, compare: bool) -> dict[str, Way]:
    """What to draw by, plain decoding first."""
    from dataclasses import replace

    from .drawing import FAST, PAPER, PLAIN, REPRODUCIBLE

    schemes = {"reproducible": REPRODUCIBLE, "fast": FAST, "paper": PAPER}
    if scheme not in schemes:
        raise UserError(f"--scheme is one of {', '.join(schemes)}; not {scheme!r}")
    plain = {"plain": replace(PLAIN, top_k=top_k)} if compare else {}
    return {**plain, scheme: replace(schemes[scheme], window=window, top_k=top_k)}


def _record(one: Shown) -> dict[str, str | int | float]:
    return {"prompt": one.prompt, "decoder": one.decoder, "passes": one.passes, "seconds": one.seconds}


def _summary(shown: list[Shown], out: Path) -> str:
    """The file, and, where decoders were compared, how much fewer and faster the last one is than the first."""
    first, last = shown[0].decoder, shown[-1].decoder
    if first == last:
        return f"{out}: {len(shown)} pictures"
    plain, ours = ([one for one in shown if one.decoder == name] for name in (first, last))
    same = sum((a.picture == b.picture).all() for a, b in zip(plain, ours, strict=True))
    fewer = sum(one.passes for one in plain) / sum(one.passes for one in ours)
    faster = sum(one.seconds for one in plain) / sum(one.seconds for one in ours)
    return (
        f"{out}: {last} took {fewer:.2f} times fewer passes and {faster:.2f} times less time; "
        f"{same} of {len(ours)} pictures are the same"
    )
