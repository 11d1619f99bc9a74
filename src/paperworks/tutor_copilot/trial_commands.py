"""``paperworks tutor-copilot trial``: plan a trial, assign its tutors, analyse its sessions, and try the estimators."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli, disk

if TYPE_CHECKING:
    import pandas as pd

app = cli.commands("The trial that would measure the help: power, simulate, assign, analyse.")

Seed = Annotated[int, typer.Option(metavar="N", min=0, help="What all random draws come from.")]


@app.command()
def power(
    tutors: Annotated[int, typer.Option(min=4, help="Tutors in both arms together.")],
    sessions_per_tutor: Annotated[float, typer.Option(help="Sessions of each, on average.")],
    effect: Annotated[float, typer.Option(help="The effect to find, a difference of shares: 0.04 is 4 points.")],
    control: Annotated[float, typer.Option(help="Share of sessions with success in the control arm.")] = 0.62,
    icc: Annotated[float, typer.Option(help="Share of the outcome's variance that lies between tutors.")] = 0.03,
    share: Annotated[float, typer.Option(help="Share of the tutors in the treatment.")] = 0.5,
    sessions_cv: Annotated[float, typer.Option(help="Spread of the sessions a tutor has, over their mean.")] = 0.0,
    explained: Annotated[float, typer.Option(help="Share of the variance that covariates explain.")] = 0.0,
    as_json: cli.Json = False,
) -> None:
    """How likely a trial of this size finds an effect, and how large it should be."""
    from .rct import planning

    settings = {"share": share, "sessions_cv": sessions_cv, "explained": explained}
    with cli.sentences(KeyError):
        found = planning.power(tutors, sessions_per_tutor, icc, control, effect, **settings)
        needed = planning.tutors_needed(sessions_per_tutor, icc, control, effect, **settings) if effect else None
    if as_json:
        cli.print_json({**asdict(found), "tutors_needed": needed})
        return
    rows = [
        ("power at the 5 % level", f"{found.power:.3f}"),
        ("standard error", f"{found.se:.4f}"),
        ("effect found with 80 %", f"{found.detectable:.4f}"),
        ("design effect", f"{found.design_effect:.2f}"),
        ("tutors needed for 80 %", "–" if needed is None else f"{needed:,}"),
    ]
    cli.show(cli.table(("", ""), rows))


@app.command()
def simulate(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="One trial's sessions, a .csv.")] = None,
    reps: Annotated[int, typer.Option(min=0, help="Trials to try the estimators on.")] = 0,
    effect: Annotated[float, typer.Option(help="The true effect on the share of passed exit tickets.")] = 0.04,
    by_rating: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="The true effects by thirds of tutors, lowest rated first.")
    ] = None,
    icc: Annotated[float, typer.Option(help="Share of the outcome's variance that lies between tutors.")] = 0.03,
    seed: Seed = 0,
    as_json: cli.Json = False,
) -> None:
    """A trial of the paper's size whose truth is known: its sessions, or the estimators' bias, coverage and power."""
    from .rct.operating import operating_characteristics
    from .rct.simulation import Setting, simulate_trial

    if (out is None) == (reps == 0):
        raise UserError("simulate wants either --out FILE for one trial's sessions or --reps N for many trials")
    if reps == 1:
        raise UserError("--reps is 1; a spread needs at least 2 trials")
    with cli.sentences(KeyError):
        setting = Setting(effect=effect if by_rating is None else _three(by_rating), tutor_icc=icc)
    if out is not None:
        sessions = simulate_trial(setting, seed=seed)
        _write(sessions, out)
        print(f"{len(sessions):,} sessions: {out}")
        return
    with cli.bars() as progress:
        table = operating_characteristics(setting, reps=reps, seed=seed, progress=progress)
    if as_json:
        cli.print_json(table.to_dict("records"))
        return
    cells = [
        (
            row.estimator,
            f"{row.truth:.4f}",
            f"{row.mean:.4f} ± {row.mc:.4f}",
            *(f"{value:.4f}" for value in (row.sd, row.se)),
            *(f"{share:.3f}" for share in (row.coverage, row.found)),
        )
        for row in table.itertuples()
    ]
    columns = ("estimator", "truth", "mean", "SD", "mean SE", "coverage", "p < 0.05")
    cli.show(cli.table(columns, cells, title=f"{reps} simulated trials"))


@app.command()
def assign(
    roster: Annotated[Path, typer.Argument(metavar="ROSTER", help="A CSV file with a row for each tutor.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the arms go, a new .csv file.")],
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Write it down before: it decides who gets what.")],
    strata: Annotated[list[str] | None, typer.Option(help="A column to balance within; repeat it.")] = None,
    unit: Annotated[str, typer.Option(help="The column that names a tutor.")] = "tutor_id",
    share: Annotated[float, typer.Option(help="Share of the tutors in the treatment.")] = 0.5,
) -> None:
    """Assign tutors to the arms, once. The file is never overwritten."""
    from .rct.assignment import assign as assigned

    if out.exists():
        raise UserError(f"{out} is there already; an assignment is made once")
    with cli.sentences(KeyError):
        result = assigned(_read(roster), strata=strata or [], seed=seed, unit=unit, share=share)
    _write(result.table.assign(seed=seed, roster_sha256=result.digest), out)
    treated = int(result.table["arm"].sum())
    print(f"{treated} tutors to treatment, {len(result.table) - treated} to control: {out}")
    print(f"roster SHA-256 {result.digest}, seed {seed}")


@app.command()
def analyse(
    sessions: Annotated[Path, typer.Argument(metavar="SESSIONS", help="A CSV file as `export` writes it, a row each.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the report goes, an .html file.")],
    outcome: Annotated[
        list[str] | None, typer.Option(help="An outcome; repeat it, the headline first.  [default: those exported]")
    ] = None,
    cluster: Annotated[str, typer.Option(help="Errors by tutor, by pair (as the paper), or by a column.")] = "tutor",
    covariate: Annotated[list[str] | None, typer.Option(help="Repeat it.  [default: the paper's]")] = None,
    fixed_effect: Annotated[list[str] | None, typer.Option(help="Repeat it.  [default: stratum]")] = None,
    strata: Annotated[list[str] | None, typer.Option(help="What tutors were assigned within.")] = None,
    reps: Annotated[int, typer.Option(min=99, help="Draws of the bootstrap and of the re-assignment.")] = 1000,
    seed: Seed = 0,
    as_json: cli.Json = False,
) -> None:
    """Analyse a trial's sessions and write the report with forest plots."""
    from paperworks.lab import page

    from .rct import analysis, report_page

    if out.suffix.lower() not in {".html", ".htm"}:
        raise UserError(f"{out.name!r} is no name of a page; end it in .html")
    with cli.sentences(KeyError):
        found = analysis.analyse(
            _read(sessions),
            outcomes=outcome,
            cluster=cluster,
            covariates=covariate,
            fixed_effects=fixed_effect,
            strata=strata or [],
            reps=reps,
            seed=seed,
        )
    page.write(out, report_page.page_of(found, title=f"Trial report: {sessions.name}"))
    if as_json:
        cli.print_json([{**asdict(each.itt), **asdict(each.adjusted)} for each in found.effects])
        return
    rows = [
        (
            each.itt.outcome,
            f"{each.itt.control:.3f}",
            f"{each.itt.value:+.4f} [{each.itt.low:+.4f}, {each.itt.high:+.4f}]",
            *(f"{p:.4f}" for p in (each.itt.p, each.adjusted.p_romano_wolf)),
            f"{each.itt.n:,}",
        )
        for each in found.effects
    ]
    cli.show(cli.table(("outcome", "control", "effect of assignment", "p", "p, Romano-Wolf", "sessions"), rows))
    for caution in found.cautions:
        cli.warn(caution)
    print(f"report: {out}")


def _three(text: str) -> tuple[float, float, float]:
    try:
        lowest, middle, highest = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--by-rating {text!r} is not three numbers with commas, like 0.09,0.02,0.01") from None
    return lowest, middle, highest


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV table: {' '.join(str(error).split())}") from None


def _write(table: pd.DataFrame, path: Path) -> None:
    disk.write_atomically(path, table.to_csv(index=False).encode())
