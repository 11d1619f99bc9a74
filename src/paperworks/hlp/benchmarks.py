"""Public benchmarks of infilling as holes: SAFIM, CrossCodeEval, RepoEval and CRUXEval, in the layouts they come in.

Each is read from a file (``.jsonl``, ``.jsonl.gz`` or ``.parquet``), or, where the hub has it, downloaded when it is
asked for. Needs the extra ``lm-eval``, which brings the `datasets` library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from paperworks.core import MissingExtra, UserError

from .execution import Assertions, PrintingProgram
from .holes import Hole

__all__ = ["BENCHMARKS", "Benchmark", "crosscodeeval", "cruxeval", "repoeval", "safim"]

SAFIM = "gonglinyuan/safim"
CRUXEVAL = "cruxeval-org/cruxeval"
_PLACES = {
    "python": "# TODO: Your code here",
    "java": "/* TODO: Your code here */",
    "cpp": "/* TODO: Your code here */",
    "csharp": "/* TODO: Your code here */",
}
"""What stands in a SAFIM prompt where the hole is."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A task whose holes were read from a benchmark's rows."""

    name: str
    read: Callable[[], Iterable[Hole]]

    def holes(self) -> list[Hole]:
        """All of them. Raises UserError where the rows cannot be had, or are not in the benchmark's layout."""
        try:
            return list(self.read())
        except (KeyError, TypeError) as error:
            raise UserError(f"the data are not in the layout of {self.name}: a row lacks {error}") from error


def safim(data: Path | None = None, config: Literal["block", "control", "api", "block_v2"] = "block") -> Benchmark:
    """SAFIM (arXiv 2403.04814): algorithmic blocks, control-flow expressions and API calls in four languages.

    Python programs with unit tests are run; where there are none the syntax tree is what counts (``ast_equal``).
    """
    return Benchmark(name=f"safim-{config}", read=lambda: map(_safim, _rows(data, SAFIM, config)))


def crosscodeeval(data: Path | None = None) -> Benchmark:
    """CrossCodeEval (arXiv 2310.11248): a ``line_completion*.jsonl`` of its archive, which the hub does not have.

    What the benchmark retrieved from other files (``crossfile_context``) stands before the prompt, where it is there.
    """
    return Benchmark(name="crosscodeeval", read=lambda: map(_crosscodeeval, _rows(data, None)))


def repoeval(data: Path | None = None, repositories: Path | None = None) -> Benchmark:
    """RepoEval (arXiv 2303.12570): a ``*_completion_*.test.jsonl`` of its archive, which the hub does not have.

    Its prompts end at the hole. With ``repositories``, the folder of the projects, the rest of the file is what stands
    after it; without, nothing does.
    """
    return Benchmark(name="repoeval", read=lambda: (_repoeval(row, repositories) for row in _rows(data, None)))


def cruxeval(data: Path | None = None, asked: Literal["input", "output"] = "output") -> Benchmark:
    """CRUXEval (arXiv 2401.03065): the input or the output of a function as a hole in an assertion, which is run."""
    return Benchmark(name=f"cruxeval-{asked}", read=lambda: (_cruxeval(row, asked) for row in _rows(data, CRUXEVAL)))


BENCHMARKS: Mapping[str, Callable[[Path | None], Benchmark]] = {
    "safim-block": lambda data: safim(data, "block"),
    "safim-control": lambda data: safim(data, "control"),
    "safim-api": lambda data: safim(data, "api"),
    "crosscodeeval": crosscodeeval,
    "repoeval": repoeval,
    "cruxeval-input": lambda data: cruxeval(data, "input"),
    "cruxeval-output": lambda data: cruxeval(data, "output"),
}
"""By the names that the command line knows: from a file, or None for the hub's."""


def _rows(data: Path | None, hub: str | None, config: str | None = None) -> Iterator[Row]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingExtra("hlp's benchmarks", error.name or "datasets", "lm-eval") from error
    if data is None and hub is None:
        raise UserError("this benchmark is not on the hub: download its archive, and give the file as data")
    if data is not None and not data.is_file():
        raise UserError(f"{data} is no file")
    reader = "parquet" if data is not None and data.suffix == ".parquet" else "json"
    try:
        if data is not None:
            yield from datasets.load_dataset(reader, data_files=str(data), split="train", streaming=True)
        else:
            yield from datasets.load_dataset(hub, config, split="test")
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{data or hub} cannot be read: {first}") from error


def _safim(row: Row) -> Hole:
    place = _PLACES[row["lang"]]
    prefix, found, suffix = row["prompt"].partition(place)
    if not found:
        raise UserError(f"the SAFIM prompt {row['task_id']} has no {place!r}")
    given = row.get("unit_tests") or "[]"
    listed = json.loads(given) if isinstance(given, str) else given  # the hub has them as JSON in a text
    tests = tuple((test["input"], tuple(test["output"])) for test in listed)
    runs = row["lang"] == "python" and bool(tests)
    return Hole(
        name=str(row["task_id"]),
        kind="safim",
        prefix=prefix,
        truth=row["ground_truth"],
        suffix=suffix,
        language=row["lang"],
        execution=PrintingProgram(template=row["eval_prompt"], tests=tests) if runs else None,
    )


def _crosscodeeval(row: Row) -> Hole:
    about = row["metadata"]
    retrieved = (row.get("crossfile_context") or {}).get("text", "")
    path = str(about.get("file", ""))
    return Hole(
        name=str(about["task_id"]),
        kind="line",
        prefix=retrieved + row["prompt"],
        truth=row["groundtruth"],
        suffix=row["right_context"],
        source=f"{about.get('repository', '')}/{path}",
        language={"py": "python", "cs": "csharp", "ts": "typescript"}.get(path.rpartition(".")[2], "java"),
    )


def _repoeval(row: Row, repositories: Path | None) -> Hole:
    about = row["metadata"]
    path = "/".join(about["fpath_tuple"])
    return Hole(
        name=str(about["task_id"]),
        kind="repoeval",
        prefix=row["prompt"],
        truth=about["ground_truth"],
        suffix="" if repositories is None else _rest(repositories / path, row["prompt"], about["ground_truth"]),
        source=path,
    )


def _rest(file: Path, prompt: str, truth: str) -> str:
    """What stands in a file after prompt and truth; the prompt may begin anywhere in it."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from error
    whole = prompt + truth
    place = text.find(whole)
    if place < 0:
        raise UserError(f"prompt and truth do not stand in {file}: give the repositories of RepoEval's own archive")
    return text[place + len(whole) :]


def _cruxeval(row: Row, asked: Literal["input", "output"]) -> Hole:
    code, given, result = row["code"], row["input"], row["output"]
    before, truth, after = (
        ("assert f(", given, f") == {result}\n") if asked == "input" else (f"assert f({given}) == ", result, "\n")
    )
    return Hole(
        name=str(row["id"]),
        kind=asked,
        prefix=f"{code}\n{before}",
        truth=truth,
        suffix=after,
        execution=Assertions(),
    )
