"""What the language models read: the standard library, or documents of a data set on the hub.

Documents of a data set become files of a `corpus.Corpus`, so that everything after that is the same. A file of the
training split holds many of them, parted by a blank line, since a data set for pre-training has millions; a file of the
other splits is one document, so that documents are what intervals are taken over.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from paperworks.core import MissingExtra, UserError
from paperworks.lab import Lab, corpus
from paperworks.lab.corpus import Corpus, SourceFile, Split

__all__ = ["HubText", "Texts", "read"]

_SHARD = 1 << 20
"""Characters of a file of the training split, or one document more."""
_PARTED_BY = "\n\n"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubText:
    """Documents of a data set of the hub, or of a folder with files ``train`` and ``validation``.

    ``subset`` is the hub's name of a part of it and ``column`` that of the text. ``train_characters`` are taken from
    the training split, and twice ``held_out`` documents from validation: the first half of them for our validation, the
    second for our test.
    """

    dataset: str
    subset: str | None
    says: str
    column: str = "text"
    train_characters: int
    held_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A corpus and what it is called: ``says`` for the text, ``items`` for what its held-out files are."""

    says: str
    items: str
    corpus: Corpus


def read(lab: Lab, wanted: HubText | None) -> Texts:
    """The running interpreter's standard library, or what is ``wanted`` in its place, kept in the lab's cache.

    Raises UserError where a data set cannot be had or is too small, MissingExtra without the ``datasets`` library.
    """
    if wanted is None:
        return Texts(says="Python source", items="files", corpus=corpus.standard_library())
    folder = lab.cached("documents", asdict(wanted), lambda folder: _write(wanted, folder))
    listed = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    files = tuple(SourceFile(**each) for each in listed)
    found = Corpus(root=folder, python=platform.python_version(), files=files, left_out={})
    return Texts(says=wanted.says, items="documents", corpus=found)


def _write(wanted: HubText, folder: Path) -> None:
    """The files of all splits and their list."""
    train = _shards(_documents(wanted, "train"), wanted.train_characters)
    held_out = [*islice(_documents(wanted, "validation"), 2 * wanted.held_out)]
    if len(held_out) < 2 * wanted.held_out:
        raise UserError(
            f"the data set {wanted.dataset!r} has {len(held_out)} documents for validation, fewer than the "
            f"{2 * wanted.held_out} that are asked for"
        )
    files = [*_files(folder, "train", train)]
    files += _files(folder, "validation", held_out[: wanted.held_out])
    files += _files(folder, "test", held_out[wanted.held_out :])
    (folder / _INDEX).write_text(json.dumps([asdict(file) for file in files]), encoding="utf-8")


def _files(folder: Path, split: Split, texts: Iterable[str]) -> Iterator[SourceFile]:
    (folder / split).mkdir()
    for number, text in enumerate(texts):
        path, content = f"{split}/{number:06d}.txt", text.encode("utf-8")
        (folder / path).write_bytes(content)
        yield SourceFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content), split=split)


def _shards(documents: Iterable[str], characters: int) -> Iterator[str]:
    """The documents, joined to texts of at least `_SHARD` characters, until there are so many characters."""
    held: list[str] = []
    size = total = 0
    for document in documents:
        held.append(document)
        size, total = size + len(document), total + len(document)
        if total >= characters:
            break
        if size >= _SHARD:
            yield _PARTED_BY.join(held)
            held, size = [], 0
    if held:
        yield _PARTED_BY.join(held)


def _documents(wanted: HubText, split: str) -> Iterator[str]:
    """The texts of a split in the data set's order, read as they are asked for; empty ones are passed over."""
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise MissingExtra("selective_attention's preset 'paper'", error.name or "datasets", "lm-eval") from error
    part = () if wanted.subset is None else (wanted.subset,)
    try:
        rows: Iterable[Any] = load_dataset(wanted.dataset, *part, split=split, streaming=True)
        yield from (row[wanted.column] for row in rows if row[wanted.column].strip())
    except (OSError, ValueError, KeyError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UserError(f"the data set {wanted.dataset!r} cannot be had: {why}") from error
