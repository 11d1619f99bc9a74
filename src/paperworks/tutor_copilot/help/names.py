"""Names out, and in again: what leaves the process says [STUDENT] and [TUTOR], and what comes back has names.

The roster of the class says which names there are. They are found however they are written: in any case, with or
without accents, stretched ("robbieee"), joined or split ("Mary-Jane", "mary jane"), with an 's behind them. A name that
is also a word ("Will", "May") counts where it has a capital, or where somebody is addressed. Names that nobody of the
class has, such as those in word problems, stay. The map from placeholders to names is kept nowhere but here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from .given_names import ALSO_WORDS, NICKNAMES

TUTOR, STUDENT = "[TUTOR]", "[STUDENT]"

_ADDRESSED = re.compile(
    r"(?:^|\b(?:hi|hey|hello|hiya|thanks|thank you|thx|bye|dear|sorry|job|work|try|ok|okay|yes|no|i'?m|i am|is|called))"
    r"[\s,!.:]*$",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\s*(?:[,.!?:;)]|$)")
_JOINT = r"[\s\-_.’']*"
_CONTACTS = (
    (re.compile(r"\S+@\S+\.\w+"), "[EMAIL]"),
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), "[LINK]"),
    (re.compile(r"(?<!\d)(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\d)|\+\d{8,15}"), "[PHONE]"),
)
_PLACEHOLDER = re.compile(r"\[(TUTOR|STUDENT|CLASSMATE \d+)\]", re.IGNORECASE)


class NameMask:
    """Names of a tutor, a student and their class, taken out by `mask` and put back by `restore`."""

    def __init__(self, *, tutor: str, student: str, others: Sequence[str] = ()) -> None:
        self._first = {TUTOR: _first_of(tutor), STUDENT: _first_of(student)}
        people = [(student, STUDENT), (tutor, TUTOR)]
        for number, name in enumerate(others, start=1):
            placeholder = f"[CLASSMATE {number}]"
            self._first[placeholder] = _first_of(name)
            people.append((name, placeholder))
        self._placeholders: dict[str, str] = {}
        for name, placeholder in people:
            for written in _ways(name):
                self._placeholders.setdefault(written, placeholder)
        longest_first = sorted(self._placeholders, key=len, reverse=True)
        self._names = [(written, _is_plain(written)) for written in longest_first]
        alternatives = "|".join(f"({_pattern(written)})" for written, _ in self._names)
        self._pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if alternatives else None

    def mask(self, text: str) -> str:
        """``text`` without names, e-mail addresses, links and telephone numbers."""
        for pattern, placeholder in _CONTACTS:
            text = pattern.sub(placeholder, text)
        pieces, end = [], 0
        for begin, stop, placeholder in self._found(text):
            pieces += [text[end:begin], placeholder]
            end = stop
        return "".join([*pieces, text[end:]])

    def restore(self, text: str) -> str:
        """``text`` with the first name of whom each placeholder stands for; one that stands for nobody stays."""
        return _PLACEHOLDER.sub(lambda found: self._first.get(found[0].upper(), found[0]), text)

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        if self._pattern is None:
            return
        folded, places = _folded(text)
        for found in self._pattern.finditer(folded):
            written, is_plain = self._names[(found.lastindex or 1) - 1]
            begin, stop = places[found.start()], places[found.end() - 1] + 1
            while stop < len(text) and unicodedata.combining(text[stop]):
                stop += 1
            if is_plain or _is_meant(text, begin, stop):
                yield begin, stop, self._placeholders[written]


def _is_plain(written: str) -> bool:
    """Whether a way of writing is a name wherever it stands. One of two letters ("An", "Al") is none."""
    return " " in written or (len(written) > 2 and written not in ALSO_WORDS)


def _is_meant(text: str, begin: int, stop: int) -> bool:
    """Whether a word that is also a name is one here."""
    if any(letter.isupper() for letter in text[begin:stop]):
        return True
    before, behind = text[:begin], text[stop:]
    return bool(_ENDS.match(behind)) and (bool(_ADDRESSED.search(before)) or before.rstrip().endswith(","))


def _ways(name: str) -> Iterator[str]:
    """How a name is written, folded: whole, by its parts, and by the nicknames of its first part."""
    parts = [part for part in re.split(r"[\s\-_.’']+", _folded(name)[0]) if part]
    if len(parts) > 1:
        yield " ".join(parts)
    for part in parts:
        if len(part) > 1:
            yield part
    if parts:
        yield from NICKNAMES.get(parts[0], ())


def _pattern(written: str) -> str:
    """A way of writing as a pattern: every letter may be stretched, and parts may be joined by anything."""
    return _JOINT.join("".join(_stretched(part)) for part in written.split(" "))


def _stretched(part: str) -> Iterator[str]:
    previous = ""
    for letter in part:
        if letter != previous:
            yield f"{re.escape(letter)}+"
        previous = letter


def _folded(text: str) -> tuple[str, list[int]]:
    """``text`` in lower case and without accents, and for each character the place in ``text`` that it came from."""
    letters: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        for letter in unicodedata.normalize("NFKD", character).casefold():
            if not unicodedata.combining(letter) and unicodedata.category(letter) != "Cf":
                letters.append(letter)
                places.append(at)
    return "".join(letters), places


def _first_of(name: str) -> str:
    return name.split()[0] if name.split() else name
