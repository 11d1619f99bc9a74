"""Who may see whom, and who may vote on whom: causality, padding, documents, windows and protected tokens.

Everything is decided by positions. A token's position counts from the first token of its own sequence or document, so
left padding and packing need no rule of their own: padding has position -1, and each packed document starts at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PADDING = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The places of N queries among M keys.

    ``query_pos`` [B, N] and ``key_pos`` [B, M] are integer positions, `PADDING` for a token that is not there; B may be
    1 for one layout that serves every row. ``query_doc`` and ``key_doc`` [B, N], [B, M] number the packed documents;
    None where a row is one. The first ``protect`` positions are never voted on. With ``window`` W a query sees itself
    and the W - 1 positions before it. ``unbroken`` says that every row is one sequence without padding, all of it here,
    so that the place of a token is its position.
    """

    query_pos: Tensor
    key_pos: Tensor
    query_doc: Tensor | None = None
    key_doc: Tensor | None = None
    protect: int = 1
    window: int | None = None
    unbroken: bool = False

    def visible(self, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """Whom a query sees [B, n, m], boolean: keys of its own document at its own position or before."""
        query, key = self._pair(queries, keys)
        seen = (key >= 0) & (key <= query)
        if self.window is not None:
            seen = seen & (key > query - self.window)
        return self._same_document(seen, queries, keys)

    def votes(self, queries: slice = slice(None), keys: slice = slice(None)) -> Tensor:
        """On whom a query's vote counts [B, n, m], boolean: those it sees, but for itself and the protected."""
        query, key = self._pair(queries, keys)
        return self.visible(queries, keys) & (key < query) & (key >= self.protect)

    def _pair(self, queries: slice, keys: slice) -> tuple[Tensor, Tensor]:
        return self.query_pos[:, queries, None], self.key_pos[:, None, keys]

    def _same_document(self, seen: Tensor, queries: slice, keys: slice) -> Tensor:
        if self.query_doc is None or self.key_doc is None:
            return seen
        return seen & (self.query_doc[:, queries, None] == self.key_doc[:, None, keys])


def causal(queries: int, keys: int, *, device: torch.device | None = None, **more: int | None) -> Layout:
    """The last ``queries`` of ``keys`` tokens, unpadded: the layout of plain causal attention."""
    positions = torch.arange(keys, device=device)[None]
    return Layout(query_pos=positions[:, keys - queries :], key_pos=positions, unbroken=True, **more)  # type: ignore[arg-type]


def padded(present: Tensor, queries: int, **more: int | None) -> Layout:
    """The last ``queries`` of the M tokens of which ``present`` [B, M] is true; the others are padding."""
    positions = torch.where(present.bool(), present.long().cumsum(-1) - 1, PADDING)
    return Layout(query_pos=positions[:, positions.shape[1] - queries :], key_pos=positions, **more)  # type: ignore[arg-type]


def packed(documents: Tensor, queries: int, **more: int | None) -> Layout:
    """The last ``queries`` of the M tokens of packed documents: ``documents`` [B, M] has a number a document.

    A document's tokens stand together; a negative number is padding.
    """
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    first = torch.where(begins, index, 0).cummax(-1).values
    positions = torch.where(documents >= 0, index - first, PADDING)
    start = documents.shape[1] - queries
    return Layout(
        query_pos=positions[:, start:],
        key_pos=positions,
        query_doc=documents[:, start:],
        key_doc=documents,
        **more,  # type: ignore[arg-type]
    )
