"""Tutor messages that were written and labelled by hand for testing, apart from what the classifier learns from."""

from __future__ import annotations

import csv
from importlib.resources import files

from .written import Turn

__all__ = ["labelled_turns"]


def labelled_turns() -> list[Turn]:
    """The messages with their strategies."""
    text = (files(__package__) / "labelled_turns.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [(row["text"], frozenset(filter(None, row["labels"].split("|")))) for row in rows]
