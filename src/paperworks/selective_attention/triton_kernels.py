"""The forward kernels on a GPU: votes, live tiles, attention. Without ``triton`` (the extra ``gpu``) no import of this.

Queries are taken in blocks of ROWS, keys in blocks of COLUMNS; a *tile* is one of each. As in ``block.py`` the penalty
is known by its value at each block's first query, the *carry* [B, blocks + 1, M], and a tile's own votes:

* `column_sums` adds the votes of every tile up; their running sum over the blocks is the carry.
* `live_tiles` lists the tiles in which some key can still get a weight that float32 notices.
* `attend` is flash attention over the live tiles, with the penalty of a tile worked out once for HEADS heads.

Tensors are contiguous: query [B, H, N, D], key [B, H_kv, M, D], value [B, H_kv, M, V]; positions and documents
[B, N] and [B, M] in int32, padding being -1. Query n stands at place M - N + n and sees nothing behind it.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

__all__ = [
    "attend",
    "column_sums",
    "inside",
    "live_tiles",
    "logits_of",
    "penalty_of",
    "place",
    "product",
    "rows_of",
    "votes_of",
]

_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")
_NEGLIGIBLE = tl.constexpr(30.0)  # e^-30 = 1e-13 of a weight: a million such keys change nothing in float32


@triton.jit
def column_sums(
    query,
    key,
    query_pos,
    key_pos,
    query_doc,
    key_doc,
    sums,
    n,
    m,
    heads,
    kv_heads,
    selector,
    protect,
    window,
    scale,
    softcap,
    WIDTH: tl.constexpr,
    SPAN: tl.constexpr,
    CAPPED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """One tile's votes, summed over its queries, to ``sums`` [B, blocks, M]. Programs: key blocks, query blocks, B."""
    block, entry = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = block * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((COLUMNS,), tl.float32)
    if tl.program_id(0) * COLUMNS <= m - n + block * ROWS + ROWS - 1:
        qp, qd = place(query_pos, query_doc, entry * n, row, n)
        kp, kd = place(key_pos, key_doc, entry * m, column, m)
        shared = selector * kv_heads // heads
        q = rows_of(query + (entry * heads + selector) * n * WIDTH, row, n, WIDTH, SPAN)
        k = rows_of(key + (entry * kv_heads + shared) * m * WIDTH, column, m, WIDTH, SPAN)
        seen = inside(qp, qd, kp, kd, window)
        total += tl.sum(votes_of(logits_of(q, k, scale, softcap, CAPPED), seen, qp, kp, protect), 0)
    tl.store(sums + (entry * tl.num_programs(1) + block) * m + column, total, mask=column < m)


@triton.jit
def live_tiles(
    query,
    key,
    key_norm,
    query_pos,
    key_pos,
    query_doc,
    key_doc,
    carry,
    tiles,
    counts,
    live,
    n,
    m,
    heads,
    kv_heads,
    window,
    scale,
    softcap,
    WIDTH: tl.constexpr,
    SPAN: tl.constexpr,
    CAPPED: tl.constexpr,
    HEADS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """The key blocks that a query block needs, for HEADS heads. Programs: query blocks, H / HEADS, B.

    ``live`` [B, H / HEADS, blocks, key blocks] says which, ``tiles`` of the same shape lists them and ``counts``
    [B, H / HEADS, blocks] says how many they are. ``key_norm`` [B, H_kv, M] is the length of every key.

    A query sees itself, with the penalty that came from before, so its largest score is at least that one; another key
    scores at most |q| |k| scale less the least penalty in its tile, which the carry bounds from below.
    """
    block, group, entry = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = block * ROWS + tl.arange(0, ROWS)
    at = m - n + row
    qp, qd = place(query_pos, query_doc, entry * n, row, n)
    present = qp >= 0
    carry += entry * (tl.num_programs(0) + 1) * m
    own_penalty = tl.load(carry + at, mask=present, other=0.0)
    key_blocks = tl.cdiv(m, COLUMNS)
    this = (entry * tl.num_programs(1) + group) * tl.num_programs(0) + block
    tiles += this * key_blocks
    live += this * key_blocks
    longest = ()
    least = ()
    for g in tl.static_range(HEADS):
        head = group * HEADS + g
        q = rows_of(query + (entry * heads + head) * n * WIDTH, row, n, WIDTH, SPAN).to(tl.float32)
        k = rows_of(key + (entry * kv_heads + head * kv_heads // heads) * m * WIDTH, at, m, WIDTH, SPAN).to(tl.float32)
        own = _capped(tl.sum(q * k, 1) * scale, softcap, CAPPED) - own_penalty
        longest = _and(longest, tl.sqrt(tl.max(tl.sum(q * q, 1))))
        least = _and(least, tl.min(tl.where(present, own, float("inf"))))
    count = 0
    for key_block in range(0, tl.cdiv(tl.minimum(m, m - n + block * ROWS + ROWS), COLUMNS)):
        column = key_block * COLUMNS + tl.arange(0, COLUMNS)
        kp, kd = place(key_pos, key_doc, entry * m, column, m)
        met = tl.max(inside(qp, qd, kp, kd, window).to(tl.int32), 0) > 0
        penalty = tl.load(carry + block * m + column, mask=met, other=float("inf"))
        heads_left = 0
        for g in tl.static_range(HEADS):
            shared = (group * HEADS + g) * kv_heads // heads
            norm = tl.load(key_norm + (entry * kv_heads + shared) * m + column, mask=met, other=0.0)
            most = _capped(longest[g] * tl.max(norm) * tl.abs(scale), softcap, CAPPED)
            heads_left += (tl.min(penalty) <= most - least[g] + _NEGLIGIBLE).to(tl.int32)
        needed = heads_left * tl.max(met.to(tl.int32)) > 0
        tl.store(live + key_block, needed.to(tl.int8))
        tl.store(tiles + count, key_block, mask=needed)
        count += needed.to(tl.int32)
    tl.store(counts + this, count)


@triton.jit
def attend(
    query,
    key,
    value,
    query_pos,
    key_pos,
    query_doc,
    key_doc,
    carry,
    tiles,
    counts,
    output,
    log_sum,
    n,
    m,
    heads,
    kv_heads,
    selector,
    protect,
    window,
    scale,
    softcap,
    WIDTH: tl.constexpr,
    SPAN: tl.constexpr,
    V_WIDTH: tl.constexpr,
    V_SPAN: tl.constexpr,
    CAPPED: tl.constexpr,
    HEADS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """The output of HEADS heads for a query block, and the logarithm of each softmax's sum [B, H, N].

    Programs: query blocks, H / HEADS, B. A query that sees nothing (padding) gets zeros.
    """
    block, group, entry = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = block * ROWS + tl.arange(0, ROWS)
    qp, qd = place(query_pos, query_doc, entry * n, row, n)
    this = (entry * tl.num_programs(1) + group) * tl.num_programs(0) + block
    tiles += this * tl.cdiv(m, COLUMNS)
    carry += (entry * (tl.num_programs(0) + 1) + block) * m
    chosen = rows_of(query + (entry * heads + selector) * n * WIDTH, row, n, WIDTH, SPAN)
    q, best, total, out = (), (), (), ()
    for g in tl.static_range(HEADS):
        head = group * HEADS + g
        q = _and(q, rows_of(query + (entry * heads + head) * n * WIDTH, row, n, WIDTH, SPAN))
        best = _and(best, tl.full((ROWS,), float("-inf"), tl.float32))
        total = _and(total, tl.zeros((ROWS,), tl.float32))
        out = _and(out, tl.zeros((ROWS, V_SPAN), tl.float32))
    for turn in range(tl.load(counts + this)):
        column = tl.load(tiles + turn) * COLUMNS + tl.arange(0, COLUMNS)
        kp, kd = place(key_pos, key_doc, entry * m, column, m)
        seen = inside(qp, qd, kp, kd, window)
        k = rows_of(key + (entry * kv_heads + selector * kv_heads // heads) * m * WIDTH, column, m, WIDTH, SPAN)
        votes = votes_of(logits_of(chosen, k, scale, softcap, CAPPED), seen, qp, kp, protect)
        penalty = penalty_of(carry, votes, column, m)
        new_best, new_total, new_out = (), (), ()
        for g in tl.static_range(HEADS):
            shared = entry * kv_heads + (group * HEADS + g) * kv_heads // heads
            k = rows_of(key + shared * m * WIDTH, column, m, WIDTH, SPAN)
            score = tl.where(seen, logits_of(q[g], k, scale, softcap, CAPPED) - penalty, float("-inf"))
            top = tl.maximum(best[g], tl.max(score, 1))
            base = tl.where(top == float("-inf"), 0.0, top)
            weight = tl.exp(score - base[:, None])
            kept = tl.exp(best[g] - base)
            v = rows_of(value + shared * m * V_WIDTH, column, m, V_WIDTH, V_SPAN)
            new_best = _and(new_best, top)
            new_total = _and(new_total, total[g] * kept + tl.sum(weight, 1))
            mixed = product(weight.to(v.dtype), v, out[g] * kept[:, None])
            new_out = _and(new_out, mixed)
        best, total, out = new_best, new_total, new_out
    lane = tl.arange(0, V_SPAN)
    for g in tl.static_range(HEADS):
        head = (entry * heads + group * HEADS + g) * n
        blind = total[g] == 0.0
        sum_ = tl.where(blind, 1.0, total[g])
        where = output + (head + row)[:, None] * V_WIDTH + lane[None, :]
        tl.store(where, out[g] / sum_[:, None], mask=(row < n)[:, None] & (lane < V_WIDTH)[None, :])
        tl.store(log_sum + head + row, tl.where(blind, 0.0, best[g] + tl.log(sum_)), mask=row < n)


@triton.jit
def rows_of(start, index, length, WIDTH: tl.constexpr, SPAN: tl.constexpr):
    """Rows ``index`` of a matrix [length, WIDTH], as [rows, SPAN]: zeros behind its ends. SPAN is a power of two."""
    lane = tl.arange(0, SPAN)
    there = (index < length)[:, None] & (lane < WIDTH)[None, :]
    return tl.load(start + index[:, None] * WIDTH + lane[None, :], mask=there, other=0.0)


@triton.jit
def place(position, document, start, index, length):
    """Position and document of tokens; position -1 (padding) behind the end."""
    pos = tl.load(position + start + index, mask=index < length, other=-1)
    return pos, tl.load(document + start + index, mask=index < length, other=-1)


@triton.jit
def inside(qp, qd, kp, kd, window):
    """Whom a query sees, as `Layout.visible`: [rows, columns], boolean."""
    past = (kp[None, :] >= 0) & (kp[None, :] <= qp[:, None]) & (kp[None, :] > qp[:, None] - window)
    return past & (qd[:, None] == kd[None, :])


@triton.jit
def logits_of(q, k, scale, softcap, CAPPED: tl.constexpr):
    """Scaled and, where there is a soft cap, capped logits in float32."""
    return _capped(product(q, tl.trans(k)) * scale, softcap, CAPPED)


@triton.jit
def votes_of(logits, seen, qp, kp, protect):
    """S of a tile: the selector's positive logits on keys seen, but for oneself and the protected."""
    counts = seen & (kp[None, :] < qp[:, None]) & (kp[None, :] >= protect)
    return tl.where(counts, tl.maximum(logits, 0.0), 0.0)


@triton.jit
def penalty_of(carry, votes, column, m):
    """F of a tile, from the carry at its first query: a vote counts from the next query on."""
    return tl.load(carry + column, mask=column < m, other=0.0)[None, :] + (tl.cumsum(votes, 0) - votes)


@triton.jit
def product(a, b, total=None):
    """``a @ b``, plus ``total``, in float32, whose products three tensor-core products add up to.

    The interpreter would multiply the bits of bfloat16 as integers.
    """
    if _INTERPRETED:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, total, input_precision="tf32x3")


@triton.jit
def _and(items, item):
    return items + (item,)  # noqa: RUF005  (Triton does not unpack)


@triton.jit
def _capped(logits, softcap, CAPPED: tl.constexpr):
    return softcap * (2.0 * tl.sigmoid(2.0 * logits / softcap) - 1.0) if CAPPED else logits
