"""Documents in, fill-in-the-middle batches out, with the horizon target of every token."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .cuts import SPLITS
from .documents import Document, TextEncoder
from .schemes import FIMScheme, Mode, Sentinels
from .transform import OUTSIDE, Ids, Parts, Targets, fim_transform, outer_trimmed

__all__ = ["FIMCollator", "FIMSettings"]

IGNORED = -100
"""The label that transformers' losses leave out."""
_KINDS = (*SPLITS, "token")
_SHORTEST = 10
_PADS = {"input_ids": 0, "attention_mask": 0, "labels": IGNORED, "hlp_targets": OUTSIDE}


@dataclass(frozen=True, slots=True, kw_only=True)
class FIMSettings:
    """How documents are transformed.

    ``fim_rate``: share of documents that are transformed; the rest is read from left to right. ``spm_rate``: share of
    those that are laid out suffix first, as ``spm_mode`` has it. ``split``: weights of "char", "line", "syntax" and
    "token" cuts; the last part no token, so a model that sees no others cannot go on in the midst of a word.
    ``max_length``: tokens a sequence has at most. ``padding_free``: one row of all sequences, told apart by
    ``position_ids``. ``remembered``: documents whose tokens are kept for later epochs, some 30 bytes a character of
    them. Raises ValueError for what makes no sense.
    """

    fim_rate: float = 0.5
    spm_rate: float = 0.0
    spm_mode: Mode = "spmv2"
    split: Mapping[str, float] = field(default_factory=lambda: {"char": 1.0})
    max_length: int = 2048
    padding_free: bool = False
    remembered: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("fim_rate", "spm_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        if self.max_length < 16:
            raise ValueError(f"max_length={self.max_length} leaves no room for a document; give at least 16")
        if self.remembered < 0:
            raise ValueError(f"remembered is a number of documents, 0 or more, not {self.remembered}")
        if unknown := sorted(set(self.split) - set(_KINDS)):
            raise ValueError(f"there is no split {', '.join(unknown)}; choose from {', '.join(_KINDS)}")
        if min(self.split.values(), default=0) < 0 or sum(self.split.values()) <= 0:
            raise ValueError(f"the weights of split must be positive, not {dict(self.split)}")


class FIMCollator:
    """A data collator for transformers' Trainer; features need ``text`` (or ``content``).

    Each batch has ``input_ids``, ``labels``, ``hlp_targets`` (the fraction of the middle that is still to come, -1
    outside), all [B, N], and ``attention_mask`` or, padding-free, ``position_ids`` [1, N]. How a document is cut
    depends on the seed, the epoch and its text only: not on workers, nor on the order of documents. A document longer
    than ``max_length`` is first cut to one of its stretches, so no middle and no end is ever lost; where the sentinels
    make it too long, the outer ends of prefix and suffix go. Documents under 10 characters stay as they are.

    A Trainer drops the column of text unless its ``remove_unused_columns=False``.
    """

    def __init__(
        self, tokenizer: Any, settings: FIMSettings = FIMSettings(), *, scheme: str | Sentinels = "auto"
    ) -> None:
        self.settings = settings
        self.scheme = FIMScheme.from_tokenizer(tokenizer, scheme)
        if settings.spm_rate > 0:
            self.scheme.require(settings.spm_mode)
        if settings.spm_rate < 1:
            self.scheme.require("psm")
        self.epoch = 0
        self._encoder = TextEncoder(tokenizer)
        self._pad = self.scheme.end if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)
        self._eos = self.scheme.end if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)
        self._documents: OrderedDict[str, Document] = OrderedDict()
        weights = np.array([settings.split.get(name, 0.0) for name in _KINDS])
        self._split_shares = np.cumsum(weights / weights.sum())

    def set_epoch(self, epoch: int) -> None:
        """Cut documents anew from here on; `HLPTrainer` calls it."""
        self.epoch = epoch

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch of some documents."""
        sequences = self.sequences([_text_of(feature) for feature in features])
        if self.settings.padding_free:
            return _joined(sequences)
        return self._padded(sequences)

    def sequences(self, texts: Sequence[str]) -> list[tuple[Ids, Targets]]:
        """The ids [N] and horizon targets [N] of every document at this epoch."""
        return [self._sequence(document) for document in self._encoded(texts)]

    def sequence(self, text: str) -> tuple[Ids, Targets]:
        """The same of one document."""
        return self.sequences([text])[0]

    def _sequence(self, document: Document) -> tuple[Ids, Targets]:
        rng = self._rng(document.text)
        document = self._stretch(document, rng)
        if len(document.text) < _SHORTEST or rng.random() >= self.settings.fim_rate:
            return self._plain(document)
        mode: Mode = self.settings.spm_mode if rng.random() < self.settings.spm_rate else "psm"
        parts = self._trimmed(self._parts(document, mode, rng))
        if parts is None:
            return self._plain(document)
        return fim_transform(parts.prefix, parts.middle, parts.suffix, self.scheme, mode)

    def _parts(self, document: Document, mode: Mode, rng: np.random.Generator) -> Parts:
        drawn = int(np.searchsorted(self._split_shares, rng.random(), side="right"))
        kind = _KINDS[min(drawn, len(_KINDS) - 1)]
        if kind == "token":
            return document.between_tokens(rng)
        return document.parts(*SPLITS[kind](document.text, rng), mode)

    def _rng(self, text: str) -> np.random.Generator:
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return np.random.default_rng([self.settings.seed, self.epoch, int.from_bytes(key)])

    def _stretch(self, document: Document, rng: np.random.Generator) -> Document:
        room = self.settings.max_length - self.scheme.overhead
        if len(document.ids) <= room:
            return document
        stretches = document.pieces_of(room)
        return self._encoded([stretches[int(rng.integers(len(stretches)))]])[0]

    def _encoded(self, texts: Sequence[str]) -> list[Document]:
        """The documents of some texts: the latest are remembered, and those that are not are encoded together."""
        new = [text for text in dict.fromkeys(texts) if text not in self._documents]
        for document in Document.all_of(new, self._encoder):
            self._documents[document.text] = document
        documents = [self._documents[text] for text in texts]
        for text in texts:
            self._documents.move_to_end(text)
        while len(self._documents) > self.settings.remembered:
            self._documents.popitem(last=False)
        return documents

    def _plain(self, document: Document) -> tuple[Ids, Targets]:
        start = [] if self.scheme.bos is None else [self.scheme.bos]
        kept = document.ids[: self.settings.max_length - len(start) - 1]
        ids = np.concatenate([np.array(start, dtype=np.int64), kept, [self._eos]])
        return ids, np.full(len(ids), OUTSIDE, dtype=np.float32)

    def _trimmed(self, parts: Parts) -> Parts | None:
        """Without the outer ends that do not fit; None where the middle alone is too long."""
        room = self.settings.max_length - self.scheme.overhead - len(parts.middle)
        if room < 0:
            return None
        prefix, suffix = outer_trimmed(parts.prefix, parts.suffix, room)
        return Parts(prefix, parts.middle, suffix)

    def _padded(self, sequences: list[tuple[Ids, Targets]]) -> dict[str, torch.Tensor]:
        size = (len(sequences), max(len(ids) for ids, _ in sequences))
        batch = {
            name: np.full(size, pad, np.float32 if name == "hlp_targets" else np.int64) for name, pad in _PADS.items()
        }
        batch["input_ids"][:] = self._pad
        for row, (ids, targets) in enumerate(sequences):
            filled = {"input_ids": ids, "attention_mask": 1, "labels": ids, "hlp_targets": targets}
            for name, values in filled.items():
                batch[name][row, : len(ids)] = values
        return {name: torch.from_numpy(values) for name, values in batch.items()}


def _joined(sequences: list[tuple[Ids, Targets]]) -> dict[str, torch.Tensor]:
    """One row; positions start anew with every sequence, whose first token no other sequence predicts."""
    labels = [np.concatenate([[IGNORED], ids[1:]]) for ids, _ in sequences]
    rows = {
        "input_ids": np.concatenate([ids for ids, _ in sequences]),
        "labels": np.concatenate(labels),
        "hlp_targets": np.concatenate([targets for _, targets in sequences]),
        "position_ids": np.concatenate([np.arange(len(ids)) for ids, _ in sequences]),
    }
    return {name: torch.from_numpy(values)[None] for name, values in rows.items()}


def _text_of(feature: Mapping[str, Any]) -> str:
    for name in ("text", "content"):
        if isinstance(feature.get(name), str):
            return str(feature[name])
    raise ValueError(
        f"a feature needs its source as 'text' or 'content'; this one has {', '.join(map(repr, feature))} "
        "(with a Trainer: remove_unused_columns=False)"
    )
