"""``paperworks hlp infill``: fills a hole in a source file, and shows the horizon as it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paperworks.core import UserError
from paperworks.lab import cli

if TYPE_CHECKING:
    from rich.console import RenderableType
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
    heal: Annotated[bool, typer.Option("--heal", help="Begin within the last token of what stands before.")] = False,
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
    if write:
        _write(file, before + result.text + after)
    if as_json:
        cli.print_json(_record(result, removed))
        return
    cli.show(*_page(before, result, after))


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
    end = lines[last - 1][len(lines[last - 1].rstrip("\r\n")) :]
    removed = "".join(lines[line - 1 : last]).removesuffix(end)
    return "".join(lines[: line - 1]), removed, end + "".join(lines[last:])


def _record(result: InfillResult, removed: str) -> dict[str, Any]:
    return {
        "text": result.text,
        "in_place_of": removed,
        "tokens": result.tokens,
        "stopped": result.stopped,
        "horizon": None if result.horizon is None else [round(y, 4) for y in result.horizon],
        "remaining": None if result.remaining is None else [round(left, 1) for left in result.remaining],
    }


def _page(before: str, result: InfillResult, after: str) -> list[RenderableType]:
    """The filled lines among their neighbours, and what the head said."""
    from rich.text import Text

    head, _, begun = before.rpartition("\n")
    rest, _, tail = after.partition("\n")
    above = head.split("\n")[-_AROUND:] if head else []
    number = before.count("\n") + 1
    rows: list[RenderableType] = [_numbered(number - len(above), above, "dim")]
    filled = Text(begun, "dim")
    filled.append(result.text, "bold green").append(rest, "dim")
    lines = filled.split("\n", allow_blank=True)
    rows += [Text.assemble((f"{number + i:>5} ", "green"), one) for i, one in enumerate(lines)]
    rows.append(_numbered(number + len(lines), tail.split("\n")[:_AROUND] if tail else [], "dim"))
    ended = "ended by itself" if result.stopped else "not ended by itself: --max-tokens was reached"
    rows.append(Text(f"\n{result.tokens} tokens, {ended}"))
    if result.horizon:
        rows.append(Text(f"horizon {''.join(map(_level, result.horizon))} (what was still to come, token by token)"))
    return [row for row in rows if row]


def _numbered(first: int, lines: Sequence[str], style: str) -> Text:
    from rich.text import Text

    return Text("\n".join(f"{first + i:>5} {line.rstrip()}" for i, line in enumerate(lines)), style)


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
