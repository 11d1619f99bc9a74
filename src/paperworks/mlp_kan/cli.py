"""``paperworks mlp-kan``: fit a table by learned functions of one variable, and read them as a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli

app = cli.commands("MLP-KAN: learned functions of one variable on the edges of a network.")


@app.callback()
def group() -> None:
    """Keeps ``fit`` a word to type: typer would make the only command of a group the group itself."""


@app.command()
def fit(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A CSV or Parquet file.")],
    target: Annotated[str, typer.Option(help="The column to explain by the others.")],
    without: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column to leave out; repeat it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The HTML page.  [default: TABLE's name, .html]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split into rows to train and to test.")] = 0,
    as_json: cli.Json = False,
) -> None:
    """Print the error on unseen rows beside gradient boosting, and the formula found; save a page of it all."""
    from .table_fit import fit_table
    from .table_page import facts, scores, write_page
    from .tables import read

    path = out or Path(f"{table.stem}.html")
    if path.suffix.lower() != ".html":
        raise UserError(f"{path.name!r} is no name of a page: it must end in .html")
    given = read(table, target=target, without=without or [])
    with cli.bars() as progress:
        found = fit_table(given, seed=seed, progress=progress)
    try:
        write_page(found, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    if as_json:
        cli.print_json({**facts(found), "models": scores(found), "page": str(path)})
        return
    rows = [(row["model"], f"{row['rmse']:.4g}", f"{row['r2']:.4f}") for row in scores(found)]
    cli.show(cli.table(("model", "RMSE", "R²"), rows, title=f"{len(found.actual)} unseen rows"))
    print(f"\n{target} = {found.formula}\n\npage: {path}")
