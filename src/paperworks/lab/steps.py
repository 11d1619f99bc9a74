"""Steps that are run once and read back afterwards, so that a run which was cut off resumes by starting again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import CellType
from typing import Any, TypeVar

from . import values
from .disk import exclusive, is_held, write_atomically
from .offers import Offers

T = TypeVar("T")

_FORMAT = b"paperworks step 1 "
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Open:
    """A step that is being computed, and the step that called it."""

    store: Steps
    entry: Path
    around: _Open | None

    def __iter__(self) -> Iterator[_Open]:
        step: _Open | None = self
        while step is not None:
            yield step
            step = step.around


_current: ContextVar[_Open | None] = ContextVar("step", default=None)


class Steps:
    """The finished steps of one run, one file each, in ``folder``.

    ``keyed_by`` is what every step of this run depends on besides its name and parameters: the slug, the device, and
    the text that stands for the source. ``offers`` is where steps are laid out that others may compute.
    """

    def __init__(self, folder: Path, keyed_by: tuple[str, ...], offers: Offers | None = None) -> None:
        self._folder = folder
        self._keyed_by = keyed_by
        self._offers = offers
        self._captured: dict[Path, tuple[Any, ...]] = {}

    def run(self, name: str, fn: Callable[..., T], params: dict[str, Any]) -> T:
        """``fn(**params)``, or what it gave before; see `Lab.step`."""
        entry = self._entry(name, params)
        if any(step.entry == entry for step in _current.get() or ()):
            raise ValueError(f"step {name!r} calls itself with the same parameters; let it call a function instead")
        self._check_captured(name, entry, fn)
        with exclusive(lock_of(entry)):
            if (data := _read(entry)) is None:
                data = self._compute(name, entry, fn, params)
            _remove(_scratch_of(entry))  # also after a cut between the two lines of _compute
        value: T = values.decode(data)
        return value

    def in_turn(self, name: str, fn: Callable[..., Any], asked: Sequence[dict[str, Any]]) -> Iterator[int]:
        """The places in ``asked`` in the order in which to run these steps; what others have begun comes last."""
        if self._offers is None:
            yield from range(len(asked))
            return
        entries = [self._entry(name, params) for params in asked]
        missing = [place for place, entry in enumerate(entries) if not entry.exists()]
        others = missing[1:]  # the first is for the run itself, now
        begun = []
        with self._offers.laid_out({entries[place].stem: (name, fn, asked[place]) for place in others}):
            for place, entry in enumerate(entries):
                if is_held(lock_of(entry)):
                    begun.append(place)
                else:
                    self._offers.withdraw(entry.stem)
                    yield place
            yield from begun

    def scratch(self, name: str) -> Path:
        """See `Lab.scratch`."""
        check_name("a scratch folder", name)
        step = _current.get()
        if step is None or step.store is not self:
            raise ValueError(
                f"scratch({name!r}) belongs to a step and goes when that ends: call it inside the function that "
                "step(...) runs; for files that outlive the run there is cached(...)"
            )
        folder = _scratch_of(step.entry) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _compute(self, name: str, entry: Path, fn: Callable[..., T], params: dict[str, Any]) -> bytes:
        with self._opened(entry):
            value = fn(**params)
        data = _encode(name, value)
        write_atomically(entry, _record(data))
        return data

    def _entry(self, name: str, params: dict[str, Any]) -> Path:
        check_name("a step", name)
        settings = values.digest(params, f"step {name!r}: the parameters")
        key = values.digest([*self._keyed_by, name, settings])
        return self._folder / f"{name}.{key[:32]}.step"

    @contextlib.contextmanager
    def _opened(self, entry: Path) -> Iterator[None]:
        token = _current.set(_Open(self, entry, _current.get()))
        try:
            yield
        finally:
            _current.reset(token)

    def _check_captured(self, name: str, entry: Path, fn: Callable[..., Any]) -> None:
        captured = _captured_by(fn)
        if self._captured.setdefault(entry, captured) != captured:
            raise ValueError(
                f"step {name!r} ran before with these parameters but with another function or other variables around "
                "it, which its memory does not see: pass everything that differs as a parameter of step(...)"
            )


def lock_of(entry: Path) -> Path:
    """The file that whoever computes the step ``entry`` holds locked meanwhile."""
    return entry.parent / ".locks" / f"{entry.stem}.lock"


def record(name: str, fn: Callable[..., Any], params: dict[str, Any]) -> bytes:
    """What the entry of this step holds, computed here and now, to be put into another's `Steps` by `put`."""
    return _record(_encode(name, fn(**params)))


def put(entry: Path, content: bytes) -> None:
    """Make ``content``, which came from `record`, the finished step ``entry``. ValueError where it was damaged."""
    if _checked(content) is None:
        raise ValueError(f"what was sent for the step {entry.stem} is damaged")
    write_atomically(entry, content)


def check_name(what: str, name: str) -> None:
    """ValueError unless ``name`` can name a file: letters, digits, '.', '_' and '-', at most 80."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} is named by letters, digits, '.', '_' and '-' (at most 80), not {name!r}")


def _read(entry: Path) -> bytes | None:
    """The checked content of an entry; None where there is none. A damaged one is removed."""
    try:
        content = entry.read_bytes()
    except FileNotFoundError:
        return None
    if (data := _checked(content)) is not None:
        return data
    _log.warning("%s is damaged and is computed again", entry)
    entry.unlink(missing_ok=True)
    return None


def _encode(name: str, value: Any) -> bytes:
    return values.encode(value, f"step {name!r}: the value")


def _record(data: bytes) -> bytes:
    return _FORMAT + hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def _checked(content: bytes) -> bytes | None:
    """The data of a record; None where it is damaged."""
    _, _, data = content.partition(b"\n")
    return data if content == _record(data) else None


def _scratch_of(entry: Path) -> Path:
    return entry.with_suffix(".scratch")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _captured_by(fn: Callable[..., Any]) -> tuple[Any, ...]:
    """What a function does and the settings it carries unseen: its code, closure, defaults and bound arguments."""
    if isinstance(fn, functools.partial):
        return (*_captured_by(fn.func), *map(_setting, fn.args), *map(_setting, fn.keywords.values()))
    code = getattr(fn, "__code__", None) or getattr(fn, "__qualname__", type(fn).__qualname__)
    around = [cell.cell_contents for cell in getattr(fn, "__closure__", None) or () if _is_assigned(cell)]
    defaults = [*(getattr(fn, "__defaults__", None) or ()), *(getattr(fn, "__kwdefaults__", None) or {}).values()]
    return (code, *map(_setting, [getattr(fn, "__self__", None), *around, *defaults]))


def _is_assigned(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a variable that is assigned after the function is made
        return False
    return True


def _setting(value: Any) -> str:
    """A setting's digest; the type alone of what is no setting, such as a model or a result of an earlier step."""
    if isinstance(value, bool | int | float | str | tuple) or dataclasses.is_dataclass(value):
        with contextlib.suppress(TypeError):
            return values.digest(value)
    return type(value).__qualname__
