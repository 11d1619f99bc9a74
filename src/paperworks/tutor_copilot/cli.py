"""``paperworks tutor-copilot``: rooms for tutors and students."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paperworks.core import UserError
from paperworks.lab import cli, places

from . import trial_commands as trial

if TYPE_CHECKING:
    from .settings import Settings

app = cli.commands("Tutor CoPilot: rooms for tutors and students, help for the tutor, and the trial of it.")
app.add_typer(trial.app, name="trial")

DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="sqlite:///FILE or postgresql://...  [default: a file of yours]"),
]


@app.command()
def serve(
    database: DatabaseUrl = None,
    llm: Annotated[str, typer.Option(metavar="URL", help="A server of OpenAI's protocol that writes the help.")] = "",
    model: Annotated[str, typer.Option(metavar="NAME", help="The model that it is asked for.")] = "",
    key_variable: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable with the server's key.")
    ] = "",
    price: Annotated[
        str, typer.Option(metavar="READ,WRITTEN", help="Dollars for a million tokens.  [default: none]")
    ] = "0,0",
    budget: Annotated[float, typer.Option(metavar="DOLLARS", min=0, help="What a tutor's help may cost a day.")] = 1.0,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes; more than one needs PostgreSQL.")] = 1,
    origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="An address under which a proxy shows this; repeat it.")
    ] = None,
    https: Annotated[bool, typer.Option("--https", help="Browsers come by https, through a proxy.")] = False,
    retention: Annotated[
        int, typer.Option(metavar="DAYS", min=1, help="How long a closed room's words are kept.")
    ] = 365,
    demo: Annotated[
        bool | None,
        typer.Option("--demo/--no-demo", help="A demonstration class.  [default: where --database is not given]"),
    ] = None,
) -> None:
    """Serve the rooms, and print the addresses to open. Without options: a demonstration, offline."""
    from .serve import serve as start

    settings = _settings(
        database,
        llm=llm,
        model=model,
        key_variable=key_variable,
        price=price,
        budget=budget,
        origins=origin or [],
        https=https,
        retention=retention,
    )
    start(settings, host=host, port=port, workers=workers, with_demo=database is None if demo is None else demo)


@app.command("create-admin")
def create_admin(
    name: Annotated[str, typer.Option(help="The administrator's name.")],
    login: Annotated[str, typer.Option(help="The login.")],
    database: DatabaseUrl = None,
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for where not given.")
    ] = "",
) -> None:
    """Add an administrator, who adds everybody else on the administration page."""
    from .office import add_admin

    with cli.sentences():
        add_admin(_database(database), name=name, login=login, password=password)
    print(f"added: {login}")


@app.command("import-people")
def import_people(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV with the columns name, role, class and grade.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the links to sign in with go, as CSV.")],
    database: DatabaseUrl = None,
    address: Annotated[str, typer.Option(help="Where people will reach the server.")] = "http://127.0.0.1:8000",
) -> None:
    """Add classes and their people from a table, all or none, and write a link for each to sign in with."""
    from .office import add_people

    with cli.sentences():
        n = add_people(_database(database), table, out, address=address.rstrip("/"))
    print(f"{n} people added; their links: {out}")


@app.command()
def export(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="tutors, for `trial assign`; or sessions, to analyse.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the table goes, as CSV.")],
    database: DatabaseUrl = None,
) -> None:
    """Write the tutors who have no arm yet, or all sessions; neither has names or words in it."""
    from .office import export as written

    with cli.sentences():
        n = written(_database(database), what, out)
    print(f"{n} rows: {out}")


@app.command("import-arms")
def import_arms(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, as `trial assign` writes it.")],
    database: DatabaseUrl = None,
) -> None:
    """Put tutors into the arms of the trial: those of the control arm lose the help. Arms never change afterwards."""
    from .office import import_arms as imported

    with cli.sentences():
        n = imported(_database(database), table)
    print(f"{n} tutors assigned")


def _settings(
    database: str | None,
    *,
    llm: str,
    model: str,
    key_variable: str,
    price: str,
    budget: float,
    origins: list[str],
    https: bool,
    retention: int,
) -> Settings:
    from .help.choice import HelpSettings
    from .settings import Settings

    if bool(llm) != bool(model):
        raise UserError("--llm and --model come together: a server's address, and the model it is asked for")
    read, written = _price(price)
    help_settings = HelpSettings(
        llm=llm,
        model=model,
        key_variable=key_variable,
        dollars_read=read,
        dollars_written=written,
        dollars_a_day=budget,
    )
    with cli.sentences():
        return Settings(
            database=_database(database),
            help=help_settings,
            origins=tuple(each.rstrip("/") for each in origins),
            https=https,
            retention_days=retention,
        )


def _price(text: str) -> tuple[float, float]:
    try:
        read, written = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--price {text!r} is not two numbers with a comma, like 2.5,10") from None
    return read, written


def _database(given: str | None) -> str:
    return given or f"sqlite:///{places.home() / 'tutor_copilot' / 'rooms.db'}"
