"""The command line. This module says how commands are called; what they do is imported when one is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import paperworks
from paperworks.core import broken, papers
from paperworks.lab import cli, places

_PACKAGE = Path(paperworks.__file__).parent

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The paper, as `paperworks list` names it.")]
_A_RUN = "published, local, a preset (your run of it) or an evidence file."
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Timeout = Annotated[float | None, typer.Option(metavar="S", help="Seconds a paper may take.  [default: by preset]")]
Memory = Annotated[
    float | None, typer.Option(metavar="GB", help="Memory a paper may hold.  [default: a share of the machine]")
]


class Root(TyperGroup):
    """Our own commands, and those of every paper that has a ``cli.py``, imported only when one of them is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Our commands, then the papers."""
        return [*super().list_commands(ctx), *_with_commands()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Our command; for a paper one that knows its help, and nothing else, yet."""
        if (slug := _with_commands().get(cmd_name)) is not None:
            return TyperCommand(name=cmd_name, help=papers()[slug].gist, rich_markup_mode=None)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is about to run: here, and not before, a paper's commands are imported."""
        if (slug := _with_commands().get(name := args[0].lower().replace("_", "-"))) is not None:
            module = import_module(f"paperworks.{slug}.cli")
            return name, typer.main.get_command(module.app), args[1:]
        return super().resolve_command(ctx, args)


app = cli.commands(
    "The papers of one day as working software: import the method, run the claim, see the evidence.", cls=Root
)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an error, whatever it is.")] = False,
) -> None:
    """``--debug`` is for the help alone: `cli.run` takes it from anywhere on the line."""


@app.command("list")
def list_papers(as_json: cli.Json = False) -> None:
    """List the papers."""
    from .commands import browse

    browse.print_list(as_json=as_json)


@app.command()
def show(slug: Slug, as_json: cli.Json = False) -> None:
    """Show a paper: what it claims, and what was measured."""
    from .commands import browse

    browse.print_paper(slug, as_json=as_json)


@app.command()
def run(
    slugs: Annotated[list[str] | None, typer.Argument(metavar="SLUG", help="The papers; all without one.")] = None,
    preset: Annotated[str, typer.Option(help="smoke, quick, full, gpu or paper.")] = "quick",
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds, at least 3.  [default: by preset]")] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="J", help="Papers at a time.  [default: one for every two cores]")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run what is up to date too, from its beginning.")] = False,
    device: Device = "auto",
    timeout: Timeout = None,
    memory: Memory = None,
    engine: Annotated[str, typer.Option(help="local, or ray: the cluster at RAY_ADDRESS.")] = "local",
    as_json: cli.Json = False,
) -> None:
    """Measure the papers' claims, and write the report."""
    from .commands import run as runs

    runs.run_papers(
        slugs or [],
        preset=preset,
        device=device,
        seeds=seeds,
        jobs=jobs,
        fresh=fresh,
        timeout=timeout,
        memory_gb=memory,
        engine=engine,
        as_json=as_json,
    )


@app.command()
def bench(
    slug: Slug, device: Device = "auto", timeout: Timeout = None, memory: Memory = None, as_json: cli.Json = False
) -> None:
    """Time a paper's method beside its peers."""
    from .commands import run as runs

    runs.run_bench(slug, device=device, timeout=timeout, memory_gb=memory, as_json=as_json)


@app.command()
def compare(
    slug: Slug,
    first: Annotated[str, typer.Argument(metavar="A", help=_A_RUN)] = "published",
    second: Annotated[str, typer.Argument(metavar="B", help="The same.")] = "local",
    as_json: cli.Json = False,
) -> None:
    """Compare two runs of a paper, and tell what changed from what is noise.

    Exit code 0: no claim changed. 3: some did. 4: no claim has a number on both sides.
    """
    from .commands import compare as comparing

    comparing.compare_runs(slug, first, second, as_json=as_json)


@app.command()
def report(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    published: Annotated[bool, typer.Option("--published", help="From the published evidence alone.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to.  [default: beside the runs]")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that it shows as JSON instead of its path.")
    ] = False,
) -> None:
    """Write the report, a site in a folder, and print its path."""
    from .commands import keep

    keep.write_report(out, published_only=published, open_it=open_it, as_json=as_json)


@app.command()
def publish(file: Annotated[Path, typer.Argument(metavar="FILE", help="A run's evidence file.")]) -> None:
    """Put a run's evidence into the source tree."""
    from .commands import keep

    keep.publish_file(file)


@app.command("new")
def new_paper(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="A short name, like lmul or nl-eye.")],
    arxiv: Annotated[str, typer.Option(metavar="ID", help="Its arXiv id, like 2410.00907.")],
    title: Annotated[str, typer.Option(help="Its title.")] = "The title of the paper",
    author: Annotated[list[str] | None, typer.Option(help="An author; repeat it.")] = None,
    field: Annotated[str, typer.Option(help="The field that it belongs to.")] = "the field",
    gist: Annotated[
        str, typer.Option(help="What it is about, in a sentence.")
    ] = "What the method does, in a sentence.",
) -> None:
    """Write a new paper's folder, test and page into the source tree."""
    from .commands import keep

    keep.write_new_paper(slug, arxiv, title=title, authors=tuple(author or ["An Author"]), field=field, gist=gist)


@app.command()
def version() -> None:
    """Print the version."""
    print(f"paperworks {paperworks.__version__}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``arguments`` are those of the shell unless given."""
    for slug, wrong in broken().items():
        cli.warn(f"{slug} is left out, {wrong}")
    given = sys.argv[1:] if arguments is None else list(arguments)
    return cli.run(app, given, name="paperworks", tracebacks=places.home() / "tracebacks")


def _with_commands() -> dict[str, str]:
    """The papers that have commands of their own: the name on the command line -> the slug."""
    return {paper.command: slug for slug, paper in papers().items() if (_PACKAGE / slug / "cli.py").is_file()}


if __name__ == "__main__":
    sys.exit(main())
