"""``paperworks hlp infill``: fills a hole in a source file, and shows the horizon as it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from rich.text import Text

    from .infilling import InfillResult, Watch

__all__ = ["infill"]

_AROUND = 3
_LEVELS = "▁▂▃▄▅▆▇█"
_BAR = 24


def infill(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A source file in UTF-8.")],
    line: Annotated[int, typer.Option(min=0, help="The line to fill anew, from 1; 0 where the file has a mark.")] = 0,
    to: Annotated[int, typer.Option(min=0, help="The last line to fill anew.  [default: the same]")] = 0,
    mark: Annotated[str, typer.Option(help="The text that stands where the hole is, if no line is given.")] = "<FILL>",
    model: Annotated[str, typer.Option(metavar="DIR_OR_HUB_ID", help="Whose head lies beside it.")] = "shipped",
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest filling.")] = 64,
    end_bias: Annotated[float, typer.Option(min=0, help="How much the horizon moves the end; 0: not at all.")] = 0.0,
    heal: Annotated[
        bool | None,
        typer.Option(help="Write the last word before it anew.  [default: as the order needs]"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the filled file in the place of FILE.")] = False,
    as_json: cli.Json = False,
) -> None:
    """Fill a hole in a source file. On a terminal the filling and what is still to come are shown as they come."""
    before, removed, after = _hole(_read(file), line, to, mark)
    from .infill_lm import load
    from .infilling import Decoding
    from .infilling import infill as fill

    loaded, tokenizer, _ = load(model)
    horizon = hasattr(loaded, "hlp_head")
    if end_bias and not horizon:
        raise UserError(f"--end-bias needs a horizon head, and {model!r} has none beside it (hlp_head.safetensors)")
    try:
        with _shown(tokenizer) as watch:
            (result,) = fill(
                loaded,
                tokenizer,
                [(before, after)],
                max_new_tokens=max_tokens,
                decoding=Decoding(heal=heal, end_bias=end_bias),
                use_horizon=horizon,
                watch=watch,
            )
    except ValueError as error:
        raise UserError(str(error)) from error
    text = result.text
    if line and after and not text.endswith(("\n", "\r")):
        text += "\n"  # whole lines were taken out
    if write:
        _write(file, before + text + after)
    if as_json:
        cli.print_json(_record(result, text, removed))
        return
    cli.show(*_page(before, text, after), *_said(result))


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()  # line ends as they stand, so that --write keeps them
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as UTF-8 text: {error}") from error


def _write(file: Path, text: str) -> None:
    from paperworks.lab.disk import write_atomically

    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error


def _hole(text: str, line: int, to: int, mark: str) -> tuple[str, str, str]:
    """What stands before the hole, what is taken out, and what stands after it."""
    if not line:
        if not mark or text.count(mark) != 1:
            raise UserError(f"the mark {mark!r} stands {text.count(mark)} times in the file, not once: give --line N")
        before, _, after = text.partition(mark)
        return before, "", after
    lines = text.splitlines(keepends=True)
    last = to or line
    if not line <= last <= len(lines):
        raise UserError(f"lines {line} to {last} are not in the file, which has {len(lines)} lines")
    return "".join(lines[: line - 1]), "".join(lines[line - 1 : last]), "".join(lines[last:])


def _record(result: InfillResult, text: str, removed: str) -> dict[str, Any]:
    return {
        "text": text,
        "in_place_of": removed,
        "tokens": result.tokens,
        "stopped": result.stopped,
        "horizon": None if result.horizon is None else [round(y, 4) for y in result.horizon],
        "remaining": None if result.remaining is None else [round(left, 1) for left in result.remaining],
    }


def _page(before: str, text: str, after: str) -> list[Text]:
    """The filled lines with their numbers, among their neighbours."""
    from rich.text import Text

    page = Text.assemble((before, "dim"), (text, "bold green"), (after, "dim"))
    lines = page.split("\n")
    first = before.count("\n")
    last = first + text.removesuffix("\n").count("\n")
    numbered = list(enumerate(lines, start=1))[max(first - _AROUND, 0) : last + 1 + _AROUND]
    return [Text.assemble((f"{number:>5} ", "dim"), line) for number, line in numbered]


def _said(result: InfillResult) -> list[Text]:
    """How the filling ended, and what the head said of it."""
    from rich.text import Text

    ended = "ended by itself" if result.stopped else "not ended by itself: --max-tokens was reached"
    lines = [Text(f"\n{result.tokens} tokens, {ended}")]
    if result.horizon:
        lines.append(Text(f"horizon {''.join(map(_level, result.horizon))} (what was still to come, token by token)"))
    return lines


def _level(share: float) -> str:
    return _LEVELS[min(int(share * len(_LEVELS)), len(_LEVELS) - 1)]


@contextmanager
def _shown(tokenizer: Any) -> Iterator[Watch | None]:
    """What `infill` reports to: a display on a terminal's standard error, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.live import Live

    with Live(console=cli.console(sys.stderr), transient=True, auto_refresh=False) as live:
        growing = _Growing(tokenizer, [])

        def watch(tokens: list[int], horizon: list[float]) -> None:
            growing.tokens.append(tokens[0])
            live.update(growing.drawn(horizon[0]), refresh=True)

        yield watch


@dataclass(frozen=True, slots=True)
class _Growing:
    """The filling so far."""

    tokenizer: Any
    tokens: list[int]

    def drawn(self, horizon: float) -> Text:
        """The text, and a bar of what is still to come."""
        from rich.text import Text

        from .infilling import still_to_come

        full = round(_BAR * horizon)
        left = still_to_come(horizon, len(self.tokens))
        return Text.assemble(
            (self.tokenizer.decode(self.tokens), "green"),
            "\n",
            ("━" * full, "yellow"),
            ("━" * (_BAR - full), "dim"),
            f" {100 * horizon:3.0f} % still to come, ~{left:.0f} tokens",
        )
