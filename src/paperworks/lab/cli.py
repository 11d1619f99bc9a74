"""What every command of the house shares: errors in one sentence, ``--json``, plain output in a pipe, and bars.

A paper's ``cli.py`` holds ``app = cli.commands("what they do")``; its commands raise `UserError` and let every other
error through.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, RenderableType
from typer.core import TyperGroup

from paperworks.core import MissingExtra, UserError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
"""The option that every command with a table has: ``def command(..., as_json: Json = False)``."""

Progress = Callable[[str, int, int], None]
"""What long library calls report to: the stage, how much of it is done, how much there is."""

USAGE = 2
INTERRUPTED = 130

_UNFOLDED = 10_000
_NUMBER = re.compile(r"[-+−≤≥~]?\s*[\[\d]")
_NOTHING = "–"


def commands(help_text: str, *, cls: type[TyperGroup] | None = None) -> typer.Typer:
    """A group of commands in the style of the house: plain help, no completion, help where no command is given."""
    return typer.Typer(
        cls=cls,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )


def run(app: typer.Typer, arguments: Sequence[str], *, name: str, tracebacks: Path) -> int:
    """Run ``app`` as the command ``name``; the exit code for the shell.

    2, and one sentence on standard error, for `UserError`, `MissingExtra` and options that do not exist; 130 for
    Ctrl-C; 1 for any other error, with one line that names the file in ``tracebacks`` where its traceback is kept.
    ``--debug``, anywhere on the line, prints the traceback too. A reader who closes the pipe is no error to report.
    """
    debug, arguments = _take_debug(arguments)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a mark that the terminal cannot show is no reason to stop
    try:
        code = app(args=list(arguments), prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        code = _explain(error, debug=debug, tracebacks=tracebacks)
    return code if isinstance(code, int) else 0


def print_json(data: Any) -> None:
    """Print ``data`` as JSON, indented, never coloured."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def console(file: IO[str] | None = None) -> Console:
    """A console on ``file`` (standard output): as wide as the terminal, unfolded and plain in a pipe."""
    file = file or sys.stdout
    width = None if file.isatty() else _UNFOLDED
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def show(*renderables: RenderableType) -> None:
    """Print on standard output with rich: coloured and folded on a terminal, plain and unfolded in a pipe."""
    out = console()
    if out.file.isatty():
        out.print(*renderables, sep="\n")
        return
    with out.capture() as captured:
        out.print(*renderables, sep="\n")
    for line in captured.get().splitlines():
        print(line.rstrip())  # rich fills its lines up to the width, which a pipe does not have


def warn(sentence: str) -> None:
    """Print one line of warning on standard error."""
    with suppress(OSError):  # a full disk beneath standard error is no reason to lose what the warning is about
        print(f"warning: {sentence}", file=sys.stderr)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, title: str = "", folded: Sequence[str] = ()
) -> Table:
    """A table in the house's style: words to the left, numbers to the right, a cell folded only in columns ``folded``.

    A column holds numbers where every cell in it begins like one, those that are a bare "–" left aside.
    """
    from rich.table import Table

    rows = [tuple(row) for row in rows]
    drawn = Table(title=title or None, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    drawn.title_justify, drawn.title_style = "left", "bold"
    for index, column in enumerate(columns):
        cells = [cell for row in rows if (cell := str(row[index])) != _NOTHING]
        numbers = bool(cells) and all(map(_NUMBER.match, cells))
        drawn.add_column(column, justify="right" if numbers else "left", no_wrap=column not in folded)
    for row in rows:
        drawn.add_row(*row)
    return drawn


@contextmanager
def bars() -> Iterator[Progress]:
    """A `Progress` that draws a bar a stage on a terminal's standard error, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console(sys.stderr), transient=True) as display:
        stages: dict[str, progress.TaskID] = {}

        def say(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = display.add_task(stage)
            display.update(stages[stage], completed=done, total=total)

        yield say


@contextmanager
def sentences(*refusals: type[Exception]) -> Iterator[None]:
    """What a library refuses by ValueError, or by one of ``refusals``, becomes the command's one sentence.

    What it warns of by UserWarning becomes a line of its own.
    """
    kinds: tuple[type[Exception], ...] = (ValueError, *refusals)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            yield
        except kinds as error:
            message = str(error.args[0]) if isinstance(error, KeyError) else str(error)
            raise UserError(message.partition("\n")[0]) from error
    for sentence in dict.fromkeys(str(each.message) for each in said if issubclass(each.category, UserWarning)):
        warn(sentence)


def _open_closed_streams() -> None:
    """Lead the streams that the caller closed to nowhere, so that no file of ours takes their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(ours) < end, [*ours, *arguments[end:]]


def _explain(error: Exception, *, debug: bool, tracebacks: Path) -> int:
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        # What is still buffered has no reader; without this the interpreter would complain of it on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if debug:
        traceback.print_exception(error)
    if isinstance(error, UserError | MissingExtra):
        _say(str(error))
        return USAGE
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error, file=sys.stderr)
        return USAGE
    if hasattr(error, "format_message") and isinstance(code := getattr(error, "exit_code", None), int):
        _say(_one_sentence(error.format_message()))  # the command line itself was wrong: typer says how
        return code
    kept = _keep_traceback(error, tracebacks)
    first = str(error).strip().partition("\n")[0]
    _say(f"{type(error).__name__}{': ' if first else ''}{first} (traceback: {kept})")
    return 1


def _one_sentence(message: str) -> str:
    text = " ".join(message.split())
    return text[:1].lower() + text[1:].removesuffix(".")


def _say(sentence: str) -> None:
    with suppress(OSError):  # where nobody can be told, the exit code has to say it
        console(sys.stderr).print("error:", style="bold red", end=" ")
        print(sentence, file=sys.stderr)


def _keep_traceback(error: Exception, folder: Path) -> Path | str:
    path = folder / f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError as refusal:
        return f"not kept, {refusal}; use --debug"
    return path
