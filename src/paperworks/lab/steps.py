"""Steps that are run once and read back afterwards, so that a run which was cut off resumes by starting again."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import CellType
from typing import Any, TypeVar

from . import values
from .disk import exclusive, write_atomically

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
    the text that stands for the source.
    """

    def __init__(self, folder: Path, keyed_by: tuple[str, ...]) -> None:
        self._folder = folder
        self._keyed_by = keyed_by
        self._captured: dict[Path, tuple[Any, ...]] = {}

    def run(self, name: str, fn: Callable[..., T], params: dict[str, Any]) -> T:
        """``fn(**params)``, or what it gave before; see `Lab.step`."""
        check_name("a step", name)
        settings = values.digest(params, f"step {name!r}: the parameters")
        key = values.digest([*self._keyed_by, name, settings])
        entry = self._folder / f"{name}.{key[:32]}.step"
        if any(step.entry == entry for step in _current.get() or ()):
            raise ValueError(f"step {name!r} calls itself with the same parameters; let it call a function instead")
        self._check_captured(name, entry, fn)
        with exclusive(self._folder / ".locks" / f"{entry.stem}.lock"):
            if (data := _read(entry)) is None:
                data = self._compute(name, entry, fn, params)
            _remove(_scratch_of(entry))  # also after a cut between the two lines of _compute
        value: T = values.decode(data)
        return value

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
        data = values.encode(value, f"step {name!r}: the value")
        write_atomically(entry, _FORMAT + hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
        return data

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
    head, _, data = content.partition(b"\n")
    if head == _FORMAT + hashlib.sha256(data).hexdigest().encode():
        return data
    _log.warning("%s is damaged and is computed again", entry)
    entry.unlink(missing_ok=True)
    return None


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
