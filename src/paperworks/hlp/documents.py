"""Encode a document once, then cut it anywhere: only the tokens around a cut are encoded again.

A byte-level BPE never joins bytes across the pieces that its regular expression cuts text into. That expression reads
from left to right and keeps nothing in mind, so whatever stands in front of a piece's first character does not change
the pieces from there on. Cut the text, and the tokens differ only from the cut to the next place where both ways of
reading begin a piece; there the document's own ids go on. At a text's end it looks one character ahead, over blanks:
so ids are taken over up to a piece some way before the end only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from .schemes import Mode
from .transform import Ids, Parts

__all__ = ["Document", "TextEncoder"]

Spans = tuple[Ids, Ids, Ids, Ids]
_PIECES = 3
"""Pieces that are read again on each side of a cut: blanks, and what they lead to, are never further away."""
_LOCAL = {"ByteLevel", "Split", "Digits", "Sequence"}


class TextEncoder:
    """Encodes source text as text: no sentinel that happens to stand in it becomes one, and nothing is added to it.

    It is the tokenizer's own model without added tokens, template and the space that some put in front. ``local``
    says whether its pieces can be trusted near cuts (byte-level BPE); where not, every part is encoded whole.
    """

    def __init__(self, tokenizer: Any) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ValueError(
                "a tokenizer of the tokenizers library is needed (a fast one); "
                f"{type(tokenizer).__name__} has no backend_tokenizer"
            )
        state = json.loads(backend.to_str())
        state.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
        state["normalizer"] = _without_leading_space(state["normalizer"])
        state["pre_tokenizer"] = _without_leading_space(state["pre_tokenizer"])
        self._tokenizer = Tokenizer.from_str(json.dumps(state))
        self.local = state["normalizer"] is None and _is_local(state["pre_tokenizer"])

    def encode(self, text: str) -> Ids:
        """The ids [N] of a text."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def spans(self, text: str) -> Spans:
        """ids [N], where each token begins and ends (characters) [N], and the number of its piece [N]."""
        return _spans(self._tokenizer.encode(text, add_special_tokens=False))

    def encode_all(self, texts: Sequence[str]) -> list[Ids]:
        """`encode` of every text, on as many cores as the library may use."""
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in found]

    def spans_of(self, texts: Sequence[str]) -> list[Spans]:
        """`spans` of every text, encoded on all cores where the process may (``TOKENIZERS_PARALLELISM``)."""
        return [_spans(found) for found in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _spans(encoding: Encoding) -> Spans:
    """Every token has a piece, since none was added."""
    ids = np.array(encoding.ids, dtype=np.int64)
    offsets = np.fromiter(chain.from_iterable(encoding.offsets), dtype=np.int64, count=2 * len(ids)).reshape(-1, 2)
    return ids, offsets[:, 0], offsets[:, 1], np.array(encoding.word_ids, dtype=np.int64)


def _without_leading_space(part: Any) -> Any:
    """A normalizer or pre-tokenizer that puts no space in front: half a line does not begin a text."""
    if part is None or part["type"] == "Prepend":
        return None
    part = dict(part)
    if "add_prefix_space" in part:
        part["add_prefix_space"] = False
    if "prepend_scheme" in part:
        part["prepend_scheme"] = "never"
    for name in ("normalizers", "pretokenizers"):
        if name in part:
            part[name] = [inner for inner in map(_without_leading_space, part[name]) if inner is not None]
    return part


def _is_local(pre_tokenizer: Any) -> bool:
    if pre_tokenizer is None:
        return False
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    kinds = [step["type"] for step in steps]
    return set(kinds) <= _LOCAL and "ByteLevel" in kinds


@dataclass(frozen=True)
class Document:
    """A text and its tokens, to be cut many times."""

    text: str
    encoder: TextEncoder
    ids: Ids
    starts: Ids
    ends: Ids
    firsts: Ids
    """Index of the first token of every piece."""

    @classmethod
    def of(cls, text: str, encoder: TextEncoder) -> Document:
        """Encode a text, once."""
        return cls._from(text, encoder, encoder.spans(text))

    @classmethod
    def all_of(cls, texts: Sequence[str], encoder: TextEncoder) -> list[Document]:
        """Encode some texts, in one call."""
        return [cls._from(text, encoder, spans) for text, spans in zip(texts, encoder.spans_of(texts), strict=True)]

    @classmethod
    def _from(cls, text: str, encoder: TextEncoder, spans: Spans) -> Document:
        ids, starts, ends, pieces = spans
        firsts = np.flatnonzero(np.diff(pieces, prepend=-2)) if len(ids) else np.zeros(0, dtype=np.int64)
        return cls(text, encoder, ids, starts, ends, firsts)

    @cached_property
    def boundaries(self) -> Ids:
        """Where every piece begins (characters), and the end of the text."""
        return np.append(self.starts[self.firsts], len(self.text))

    @cached_property
    def _tokens_at(self) -> Ids:
        """The token that begins each of the boundaries."""
        return np.append(self.firsts, len(self.ids))

    def parts(self, start: int, end: int, mode: Mode) -> Parts:
        """The tokens before, in and after ``text[start:end]`` (characters), each as its own text would be encoded.

        In mode ``spmv2`` prefix and middle are one text, parted at the first token not wholly of the prefix.
        """
        suffix = self.encoded(end, len(self.text))
        if mode != "spmv2":
            return Parts(self.encoded(0, start), self.encoded(start, end), suffix)
        joined, whole = self._before(end, start)
        return Parts(joined[:whole], joined[whole:], suffix)

    def between_tokens(self, rng: np.random.Generator) -> Parts:
        """Two places between tokens, uniformly and never the same: the document's own ids, of which none is parted.

        In ``spmv2`` these are the parts too, as prefix and middle together are the document's first ids.
        """
        low, high = sorted(rng.choice(len(self.ids) + 1, 2, replace=False).tolist())
        return Parts(self.ids[:low], self.ids[low:high], self.ids[high:])

    def encoded(self, start: int, end: int) -> Ids:
        """The ids of ``text[start:end]``, bit for bit as ``encoder.encode`` gives them."""
        if not self.encoder.local:
            return self.encoder.encode(self.text[start:end])
        first, left = (0, np.zeros(0, dtype=np.int64)) if start == 0 else self._resume(start)
        last = len(self.boundaries) - 1 if end == len(self.text) else self._leave(end)
        if first < 0 or last <= first:
            return self.encoder.encode(self.text[start:end])
        kept = self.ids[self._tokens_at[first] : self._tokens_at[last]]
        right = self.encoder.encode(self.text[self.boundaries[last] : end])
        return np.concatenate([left, kept, right])

    def _resume(self, cut: int) -> tuple[int, Ids]:
        """The boundary from which on the document's ids hold after a cut, and the ids from the cut to there."""
        boundary = int(np.searchsorted(self.boundaries, cut)) + _PIECES
        while boundary < len(self.boundaries) and not self._is_firm(int(self.boundaries[boundary])):
            boundary += 1
        if boundary >= len(self.boundaries):
            return -1, np.zeros(0, dtype=np.int64)
        return boundary, self.encoder.encode(self.text[cut : self.boundaries[boundary]])

    def _is_firm(self, place: int) -> bool:
        """Whether a piece begins here from wherever one reads: blanks look ahead, digits are counted off in threes."""
        before, after = self.text[place - 1], self.text[place : place + 1]
        return not before.isspace() and not (before.isnumeric() and after.isnumeric())

    def _leave(self, cut: int) -> int:
        """The boundary up to which the document's ids hold before a cut."""
        return max(int(np.searchsorted(self.boundaries, cut, side="right")) - 1 - _PIECES, 0)

    def _before(self, end: int, start: int) -> tuple[Ids, int]:
        """The ids of ``text[:end]``, and how many of them lie wholly in ``text[:start]``."""
        last = self._leave(end) if self.encoder.local else 0
        kept, offset = int(self._tokens_at[last]), int(self.boundaries[last])
        ids, _, ends, _ = self.encoder.spans(self.text[offset:end])
        whole = int(np.searchsorted(self.ends[:kept], start, side="right"))
        if whole == kept:
            whole += int(np.searchsorted(ends + offset, start, side="right"))
        return np.concatenate([self.ids[:kept], ids]), whole

    def pieces_of(self, tokens: int) -> list[str]:
        """The text in consecutive stretches of about ``tokens`` tokens, none longer unless one piece is."""
        if len(self.ids) <= tokens:
            return [self.text]
        cuts = [0]
        while cuts[-1] < len(self.text):
            reached = int(np.searchsorted(self.starts, cuts[-1])) + tokens
            at = int(np.searchsorted(self._tokens_at, reached, side="right")) - 1
            following = int(self.boundaries[at])
            cuts.append(following if following > cuts[-1] else len(self.text))
        return [self.text[low:high] for low, high in pairwise(cuts)]
