"""``paperworks nrgboost``: fit a model of a table, and draw, impute and score rows with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from .density import NRGBoostDensity

app = cli.commands("NRGBoost: a generative model of a whole table, by boosted trees.")

Table = Annotated[Path, typer.Argument(metavar="TABLE", help="A CSV or Parquet file.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that `fit` wrote.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to: a .csv or .parquet file.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="What all random draws come from.")]
Threads = Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads.  [default: all cores]")]


@app.command()
def fit(
    table: Table,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the model goes, an .npz file.")],
    target: Annotated[
        str | None, typer.Option(help="Stop by the held-out score of this column.  [default: of all columns]")
    ] = None,
    trees: Annotated[int, typer.Option(min=1, help="Trees, at most.")] = 200,
    leaves: Annotated[int, typer.Option(min=2, help="Leaves of a tree, at most.")] = 256,
    learning_rate: Annotated[float, typer.Option(help="The share of the best step that each tree takes.")] = 0.15,
    pool: Annotated[int, typer.Option(min=1, help="Model samples that trees are grown against.")] = 80_000,
    hold_out: Annotated[
        float, typer.Option(help="Share of the rows held out, to stop early and to check samples by; 0 for none.")
    ] = 0.1,
    patience: Annotated[int, typer.Option(min=1, help="Rounds without a better held-out score before it stops.")] = 10,
    category: Annotated[
        list[str] | None, typer.Option(help="A column of numbers that are categories; repeat it.")
    ] = None,
    group_rare: Annotated[
        bool, typer.Option("--group-rare", help="Join the rarest categories of columns with over 256.")
    ] = False,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: cli.Json = False,
) -> None:
    """Fit a model to every column of a table. Ctrl-C keeps the trees so far."""
    from .density import NRGBoostDensity
    from .fit_report import fit_and_measure, summary

    if out.suffix.lower() != ".npz":
        raise UserError(f"{out.name!r} is no name of a model file; end it in .npz")
    if not 0 <= hold_out < 1:
        raise UserError(f"--hold-out is {hold_out}; it is a share of the rows, at least 0 and below 1")
    given = _read(table, texts=category or [])
    _require_columns(given, [*(category or []), *([target] if target else [])])
    model = NRGBoostDensity(
        n_estimators=trees,
        max_leaf_nodes=leaves,
        learning_rate=learning_rate,
        n_model_samples=pool,
        categorical_features=category or "from_dtype",
        categorical_overflow="group" if group_rare else "error",
        early_stopping=hold_out > 0,
        n_iter_no_change=patience,
        scoring=target,
        n_jobs=threads or -1,
        random_state=seed,
    )
    with cli.sentences(TypeError, FileNotFoundError), cli.bars() as progress:
        fit_and_measure(model, given, hold_out=hold_out, source=table.name, progress=progress)
    _written(lambda: model.save(out), out)
    facts = {"model": str(out), **summary(model)}
    if as_json:
        cli.print_json(facts)
        return
    cli.show(cli.table((table.name, ""), [(name.replace("_", " "), _cell(value)) for name, value in facts.items()]))


@app.command()
def sample(
    model: Model,
    n: Annotated[int, typer.Option("-n", "--rows", min=1, help="Rows.")] = 1000,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="What every row has; a..b is a range, a|b a choice. Repeat it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .csv or .parquet file.  [default: the screen]")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Gibbs sweeps of each row's chain.")] = 100,
    temperature: Annotated[float, typer.Option(help="Below 1 rows are more typical, above it more varied.")] = 1.0,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """Draw rows from a model."""
    from paperworks.lab.table_files import csv_text, require_table_name, write_table

    from .given_text import parse_conditions

    if out is not None:
        require_table_name(out)
    fitted = _load(model, threads)
    with cli.sentences(TypeError, FileNotFoundError), cli.bars() as progress:
        rows = fitted.sample(
            n,
            given=parse_conditions(fitted.model_.encoder, given or []),
            n_steps=steps,
            temperature=temperature,
            random_state=seed,
            progress=progress,
        )
    if out is None:
        print(csv_text(rows), end="")
        return
    print(f"{n} rows: {write_table(rows, out)}")


@app.command()
def impute(
    model: Model,
    table: Table,
    out: Out,
    method: Annotated[
        str, typer.Option(help="gibbs (a joint draw), mean (expected values, likeliest categories) or mode.")
    ] = "gibbs",
    steps: Annotated[int, typer.Option(min=1, help="Gibbs sweeps of a draw.")] = 50,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """Fill in the missing cells of a table."""
    from paperworks.lab.table_files import require_table_name, write_table

    from .known_columns import read_like

    require_table_name(out)
    fitted = _load(model, threads)
    given = read_like(table, fitted.model_.encoder)
    with cli.sentences(TypeError, FileNotFoundError), cli.bars() as progress:
        missing = fitted.missing_cells(given)
        filled = fitted.impute(
            given,
            method=method,  # type: ignore[arg-type]  # an unknown one is refused there
            n_steps=steps,
            random_state=seed,
            progress=progress,
        )
    print(f"{missing} cells filled in: {write_table(filled, out)}")


@app.command()
def score(
    model: Model,
    table: Table,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Every row with its scores: a .csv or .parquet file.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows to print, the least plausible first.")] = 10,
    cells: Annotated[int, typer.Option(min=1, help="Cells to name for each row, the least plausible first.")] = 3,
    reference: Annotated[int, typer.Option(min=1, help="Rows of the model that rows are compared with.")] = 1000,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: cli.Json = False,
) -> None:
    """Say how plausible each row of a table is, and which of its cells make it implausible."""
    from paperworks.lab.table_files import require_table_name, write_table

    from .known_columns import read_like
    from .outliers import score_table

    if out is not None:
        require_table_name(out)
    fitted = _load(model, threads)
    given = read_like(table, fitted.model_.encoder)
    with cli.sentences(TypeError, FileNotFoundError), cli.bars() as progress:
        scored = score_table(fitted, given, n_cells=cells, n_reference=reference, seed=seed, progress=progress)
    if out is not None:
        write_table(scored.with_scores(given), out)
    rows = scored.least_plausible(top)
    if as_json:
        cli.print_json([row.record() for row in rows])
        return
    cli.show(
        cli.table(
            ("row", "plausibility", "least plausible cells, each with its plausibility"),
            [(str(row.number), f"{row.plausibility:.4f}", row.says()) for row in rows],
            title=f"{table.name}: {len(given)} rows, row 1 is the first below the header",
            folded=("least plausible cells, each with its plausibility",),
        )
    )
    if out is not None:
        print(f"every row with its scores: {out}")


@app.command()
def card(
    model: Model,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="An .html file.  [default: beside the model]")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Measure samples against the rows of this table instead.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows to draw for the marginals.")] = 2000,
    seed: Seed = 0,
    threads: Threads = None,
) -> None:
    """Write a page about a model: how it was trained, how good its rows are, what matters in it."""
    from .card import write_card
    from .known_columns import read_like
    from .quality import measure

    fitted = _load(model, threads)
    with cli.sentences(TypeError, FileNotFoundError), cli.bars() as progress:
        if table is not None:
            given = read_like(table, fitted.model_.encoder)
            fitted.notes_ = {
                **fitted.notes_,
                "quality": measure(fitted, given, held_out=True, seed=seed, progress=progress),
                "measured_on": table.name,
            }
        page = out or model.with_suffix(".html")
        _written(lambda: write_card(fitted, page, name=model.name, n_rows=rows, seed=seed, progress=progress), page)
    print(f"the model's card: {page}")


def _read(path: Path, texts: list[str]) -> Any:
    from paperworks.lab.table_files import read_table

    return read_table(path, texts=texts)


def _require_columns(table: Any, names: list[str]) -> None:
    known = list(getattr(table, "column_names", None) or table.columns)
    for name in names:
        if name not in known:
            raise UserError(f"there is no column {name!r}; the columns are {', '.join(map(repr, known))}")


def _load(path: Path, threads: int | None) -> NRGBoostDensity:
    """The model in a file, set to use ``threads``."""
    from .density import NRGBoostDensity

    with cli.sentences(TypeError, FileNotFoundError):
        model = NRGBoostDensity.load(path)
    return model.use_threads(threads or -1)


def _written(write: Any, path: Path) -> None:
    try:
        write()
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
