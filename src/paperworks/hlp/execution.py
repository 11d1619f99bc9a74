"""Whether a filled hole does what it should: doctests, assertions, and programs that read and print, all sandboxed.

Verdicts come from what the program says at its end, as they do in the benchmarks: they hold for code that a model
wrote to be right, not for code written to deceive its judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from paperworks.lab import sandbox

if TYPE_CHECKING:
    from .holes import Hole

__all__ = ["Assertions", "Doctests", "Execution", "PrintingProgram", "passed"]

LIMITS = sandbox.Limits(wall_s=5.0, memory=512 << 20)
"""Of one run. Files can be written in its own folder only, and there is no network."""
_RUN_DOCTESTS = """
import doctest, importlib.util, sys
specification = importlib.util.spec_from_file_location({module!r}, "tested.py")
module = importlib.util.module_from_spec(specification)
sys.modules[{module!r}] = module
specification.loader.exec_module(module)
failed, attempted = doctest.testmod(module, verbose=False)
"""


class Execution(Protocol):
    """How a filling is run."""

    def scripts(self, hole: Hole, infill: str) -> list[sandbox.Script]:
        """The runs that decide."""

    def accepts(self, results: Sequence[sandbox.Result]) -> bool:
        """Whether they went as they should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctests:
    """The doctests of a module, all ``examples`` of them, pass; the module is loaded under its own name."""

    module: str
    examples: int

    def scripts(self, hole: Hole, infill: str) -> list[sandbox.Script]:
        """One run."""
        return [doctest_script(self.module, hole.filled(infill))]

    def accepts(self, results: Sequence[sandbox.Result]) -> bool:
        """None failed, and as many were tried as the untouched module has."""
        return [result.value for result in results] == [(0, self.examples)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertions:
    """The filled file runs to its end, so that the assertions in it hold."""

    def scripts(self, hole: Hole, infill: str) -> list[sandbox.Script]:
        """One run. A filling of several lines could say anything, so it is one line only."""
        program = hole.filled(infill.strip()) if "\n" not in infill.strip() else "raise SyntaxError"
        return [sandbox.Script(code=program, limits=LIMITS)]

    def accepts(self, results: Sequence[sandbox.Result]) -> bool:
        """It came to its end."""
        return all(result.status is sandbox.Status.OK for result in results)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintingProgram:
    """The program prints what it should for each input. ``tests``: an input and its right outputs, any of which does.

    ``template`` is the program with ``{{completion}}`` in the place of the filling, as SAFIM has it.
    """

    template: str
    tests: tuple[tuple[str, tuple[str, ...]], ...]

    def scripts(self, hole: Hole, infill: str) -> list[sandbox.Script]:
        """A run a test."""
        program = self.template.replace("{{completion}}", infill)
        return [sandbox.Script(code=program, stdin=given, limits=LIMITS) for given, _ in self.tests]

    def accepts(self, results: Sequence[sandbox.Result]) -> bool:
        """Every output is right, blanks at ends of lines and of the whole aside."""
        return all(
            result.status is sandbox.Status.OK and _printed(result.stdout) in map(_printed, right)
            for result, (_, right) in zip(results, self.tests, strict=True)
        )


def passed(
    holes: Sequence[Hole],
    infills: Sequence[str],
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[bool | None]:
    """Whether each filling passes; None where its hole cannot be run. Raises `sandbox.SandboxUnavailable`."""
    scripts = [
        [] if hole.execution is None else hole.execution.scripts(hole, infill)
        for hole, infill in zip(holes, infills, strict=True)
    ]
    results = iter(run_all([one for each in scripts for one in each], workers=workers, progress=progress))
    own = [[next(results) for _ in each] for each in scripts]
    return [
        None if hole.execution is None else hole.execution.accepts(each) for hole, each in zip(holes, own, strict=True)
    ]


def run_all(
    scripts: Iterable[sandbox.Script],
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[sandbox.Result]:
    """The results of many runs, in their order."""
    return list(sandbox.run_many(scripts, workers=workers, progress=progress))


def doctest_script(module: str, text: str) -> sandbox.Script:
    """A run of a module's doctests, whose value is how many failed and how many were tried."""
    return sandbox.Script(
        code=_RUN_DOCTESTS.format(module=module),
        files={"tested.py": text},
        value="(failed, attempted)",
        limits=LIMITS,
    )


def _printed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
