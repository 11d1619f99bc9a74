"""Selective attention a block of queries at a time, forward and backward: O(N M / block) memory for the penalty.

Per block of queries only the penalty at its first row, the *carry*, is kept: F of the other rows follows from the
block's own votes. Forward, with the rows r of block I::

    S = relu(L0[r]) where a vote counts
    F[r] = C[I] + exclusive_cumsum_over_rows(S)
    C[I + 1] = C[I] + column_sums(S)

and attention of the block on L_h - F. Backward runs over the blocks from the last to the first, D being the column sums
of dF over the later blocks::

    dF[r] = -sum_h dA_h,   dA_h = P_h * (dP_h - rowsum(dP_h * P_h))
    dS[r] = exclusive_reverse_cumsum_over_rows(dF[r]) + D
    dL_0 += dS where the vote counted and L0 > 0

Shapes: B batch, H query heads, H_kv key/value heads, N queries, M keys, D head width. Query n must not see a key that
stands after its own place M - N + n, which is so for every sequence that has not been evicted from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from paperworks.lab.attention import grouped

from .layout import Layout

BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What does not change from block to block."""

    layout: Layout
    scale: float
    selector_head: int
    softcap: float | None
    block: int

    @property
    def triangle(self) -> bool:
        """Whether places alone say who sees whom: then only a block's own keys need a mask."""
        return self.layout.unbroken and self.layout.window is None


@dataclass(frozen=True, slots=True)
class Rows:
    """A block of queries, and the keys that they may see: those before ``end``."""

    queries: slice
    end: int


def blocks(queries: int, keys: int, block: int) -> Iterator[Rows]:
    """The blocks of ``queries``, which are the last of ``keys`` tokens."""
    for start in range(0, queries, block):
        stop = min(start + block, queries)
        yield Rows(slice(start, stop), keys - queries + stop)


class BlockAttention(torch.autograd.Function):
    """``apply(query, key, value, before, shape) -> output [B, H, N, D], F_next [B, M]``.

    ``before`` [B, M] is the penalty that acts at the first query, in float32 or wider.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, before: Tensor, shape: Shape
    ) -> tuple[Tensor, Tensor]:
        """See the module."""
        output = torch.empty(*query.shape[:-1], value.shape[-1], dtype=query.dtype, device=query.device)
        carry, carries = before, []
        for rows in blocks(query.shape[2], key.shape[2], shape.block):
            carries.append(carry)
            votes = _votes(_selector_logits(query, key, rows, shape), rows, shape)
            bias, carry = _bias(votes, carry, rows, shape)
            output[:, :, rows.queries] = _attend(query, key, value, rows, bias, shape)
        ctx.save_for_backward(query, key, value, output, *carries)
        ctx.shape = shape
        return output, carry

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """See the module."""
        query, key, value, output, *carries = ctx.saved_tensors
        gradient = _Gradient(query, key, value, grads[1], ctx.shape)
        every = zip(blocks(query.shape[2], key.shape[2], ctx.shape.block), carries, strict=True)
        for rows, carry in reversed([*every]):
            gradient.add(rows, carry, output[:, :, rows.queries], grads[0][:, :, rows.queries])
        return (*gradient.of_inputs(query.dtype), gradient.later, None)


class _Gradient:
    """The gradients while they are added up, from the last block to the first.

    ``query`` [B, H, N, D], ``key`` and ``value`` [B, H_kv, M, D]; ``later`` [B, M] is D, the gradient of the carry.
    """

    def __init__(self, query: Tensor, key: Tensor, value: Tensor, later: Tensor, shape: Shape) -> None:
        wide = torch.promote_types(query.dtype, torch.float32)
        self._inputs = query.to(wide), key.to(wide), value.to(wide)
        self._shape = shape
        self._query = torch.empty_like(self._inputs[0])
        self._key, self._value = torch.zeros_like(self._inputs[1]), torch.zeros_like(self._inputs[2])
        self.later = later.clone()

    def of_inputs(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of query, key and value."""
        return self._query.to(dtype), self._key.to(dtype), self._value.to(dtype)

    def add(self, rows: Rows, carry: Tensor, output: Tensor, grad: Tensor) -> None:
        """Add what the block ``rows`` contributes, given its output [B, H, n, D] and the gradient of that."""
        query, key, value = self._inputs
        query, key, value = query[:, :, rows.queries], key[:, :, : rows.end], value[:, :, : rows.end]
        grad = grad.to(query.dtype)
        logits = _logits(query, key, self._shape)
        votes = _votes(logits[:, self._shape.selector_head], rows, self._shape)
        counted = votes > 0
        bias, _ = _bias(votes, carry, rows, self._shape)
        weights = torch.softmax(logits + bias[:, None], dim=-1)
        self._value[:, :, : rows.end] += _over_groups(weights, grad, value.shape[1])
        inner = (grad * output).sum(-1, keepdim=True)
        change = grouped(torch.matmul, grad, value.transpose(2, 3)).sub_(inner).mul_(weights)  # dA
        change[:, self._shape.selector_head] += self._of_votes(change, rows.end) * counted
        if self._shape.softcap is not None:
            change.mul_(1 - (logits / self._shape.softcap) ** 2)
        change.mul_(self._shape.scale)
        self._query[:, :, rows.queries] = grouped(torch.matmul, change, key)
        self._key[:, :, : rows.end] += _over_groups(change, query, key.shape[1])

    def _of_votes(self, change: Tensor, end: int) -> Tensor:
        """dS [B, n, m] of a block, whose penalties have the gradient -sum_h dA_h; `later` takes the block in."""
        penalty = change.sum(1).neg_()
        total = penalty.sum(1)
        votes = (total + self.later[:, :end])[:, None] - penalty.cumsum(1)
        self.later[:, :end] += total
        return votes


def _logits(query: Tensor, key: Tensor, shape: Shape) -> Tensor:
    """Scaled and, where there is a soft cap, capped logits [B, H, n, m] of queries and keys as they are given."""
    logits = grouped(torch.matmul, query * shape.scale, key.transpose(2, 3))
    return logits if shape.softcap is None else shape.softcap * torch.tanh(logits / shape.softcap)


def _selector_logits(query: Tensor, key: Tensor, rows: Rows, shape: Shape) -> Tensor:
    """The selector head's logits [B, n, m] of a block, in float32 or wider."""
    wide = torch.promote_types(query.dtype, torch.float32)
    shared = shape.selector_head * key.shape[1] // query.shape[1]
    chosen = query[:, shape.selector_head, None, rows.queries].to(wide)
    return _logits(chosen, key[:, shared, None, : rows.end].to(wide), shape)[:, 0]


def _votes(logits: Tensor, rows: Rows, shape: Shape) -> Tensor:
    """S [B, n, m] of a block."""
    votes = torch.relu(logits)
    if not shape.triangle:
        return votes.mul_(shape.layout.votes(rows.queries, slice(rows.end)))
    votes[:, :, : shape.layout.protect] = 0.0
    _own(votes).tril_(-1)
    return votes


def _bias(votes: Tensor, carry: Tensor, rows: Rows, shape: Shape) -> tuple[Tensor, Tensor]:
    """-F of a block, -inf where a key is not seen [B, n, m], and the carry [B, M] of the next block.

    A query that is padding sees nothing; its row is left open, so that no softmax is over nothing.
    """
    penalty = votes.cumsum(1)
    after = carry.clone()
    after[:, : rows.end] += penalty[:, -1]
    penalty -= votes  # exclusive: a vote counts from the next query on
    penalty += carry[:, None, : rows.end]
    bias = penalty.neg_()
    if shape.triangle:
        own = _own(bias)
        own.masked_fill_(torch.ones(own.shape[1:], dtype=torch.bool, device=own.device).triu_(1), float("-inf"))
        return bias, after
    padding = shape.layout.query_pos[:, rows.queries, None] < 0
    seen = shape.layout.visible(rows.queries, slice(rows.end)) | padding
    return bias.masked_fill_(~seen, float("-inf")), after


def _own(block: Tensor) -> Tensor:
    """Of a block [B, n, m] the columns of its queries' own keys: the last n."""
    return block[:, :, block.shape[2] - block.shape[1] :]


def _attend(query: Tensor, key: Tensor, value: Tensor, rows: Rows, bias: Tensor, shape: Shape) -> Tensor:
    """The block's output [B, H, n, D]; the bias stays as wide as it is, or F would lose what sets two keys apart."""
    q, k, v = query[:, :, rows.queries], key[:, :, : rows.end], value[:, :, : rows.end]
    if shape.softcap is None and (q.is_cpu or q.dtype == bias.dtype):  # elsewhere torch takes no bias that is wider
        shared = query.shape[1] != key.shape[1]
        return scaled_dot_product_attention(q, k, v, attn_mask=bias[:, None], scale=shape.scale, enable_gqa=shared)
    logits = _logits(q.to(bias.dtype), k.to(bias.dtype), shape)
    return grouped(torch.matmul, torch.softmax(logits + bias[:, None], dim=-1).to(v.dtype), v)


def _over_groups(weights: Tensor, rows: Tensor, kv_heads: int) -> Tensor:
    """weights^T @ rows, summed over the heads that share a key head: [B, H, n, m], [B, H, n, D] -> [B, H_kv, m, D]."""
    batch, _, _, keys = weights.shape
    stacked = weights.reshape(batch, kv_heads, -1, keys)
    return stacked.transpose(2, 3) @ rows.reshape(batch, kv_heads, stacked.shape[2], rows.shape[-1])
