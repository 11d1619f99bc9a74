"""The backward kernels on a GPU, over the same tiles as the forward ones (``triton_kernels.py``).

With P the weights and dA = P (dO V^T - rowsum(dO O)) the gradient of the scores, `of_keys` makes dV and dK, and the
column sums of dF = -sum_h dA_h for every block of queries. A sum over the later blocks gives D, what reaches a block's
votes from behind it. Then `of_queries` makes dF of each tile again, from it the gradient of the votes

    dS = D + exclusive_reverse_cumsum_over_rows(dF)

and adds dQ, and the selector's share of dK. Nothing of size N x M is kept but one row a block.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .triton_kernels import inside, logits_of, penalty_of, place, product, rows_of, votes_of

__all__ = ["of_keys", "of_queries"]


@triton.jit
def of_keys(
    query,
    key,
    value,
    query_pos,
    key_pos,
    query_doc,
    key_doc,
    carry,
    live,
    log_sum,
    inner,
    grad,
    grad_key,
    grad_value,
    grad_carry,
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
    """dK and dV of a key block of one key head, in float32. Programs: key blocks, H_kv, B.

    ``grad_carry`` [B, blocks, M] is added to; ``inner`` [B, H, N] is rowsum(dO O).
    """
    key_block, shared, entry = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    column = key_block * COLUMNS + tl.arange(0, COLUMNS)
    kp, kd = place(key_pos, key_doc, entry * m, column, m)
    k = rows_of(key + (entry * kv_heads + shared) * m * WIDTH, column, m, WIDTH, SPAN)
    v = rows_of(value + (entry * kv_heads + shared) * m * V_WIDTH, column, m, V_WIDTH, V_SPAN)
    chosen = rows_of(key + (entry * kv_heads + selector * kv_heads // heads) * m * WIDTH, column, m, WIDTH, SPAN)
    dk, dv = tl.zeros((COLUMNS, SPAN), tl.float32), tl.zeros((COLUMNS, V_SPAN), tl.float32)
    group, blocks, key_blocks = heads // kv_heads, tl.cdiv(n, ROWS), tl.cdiv(m, COLUMNS)
    for block in range(tl.maximum(0, key_block * COLUMNS - (m - n)) // ROWS, blocks):
        row = block * ROWS + tl.arange(0, ROWS)
        qp, qd = place(query_pos, query_doc, entry * n, row, n)
        seen = inside(qp, qd, kp, kd, window)
        q = rows_of(query + (entry * heads + selector) * n * WIDTH, row, n, WIDTH, SPAN)
        votes = votes_of(logits_of(q, chosen, scale, softcap, CAPPED), seen, qp, kp, protect)
        penalty = penalty_of(carry + (entry * (blocks + 1) + block) * m, votes, column, m)
        total = tl.zeros((COLUMNS,), tl.float32)
        for head in range(shared * group, shared * group + group):
            if tl.load(live + ((entry * (heads // HEADS) + head // HEADS) * blocks + block) * key_blocks + key_block):
                at = (entry * heads + head) * n
                q = rows_of(query + at * WIDTH, row, n, WIDTH, SPAN)
                do = rows_of(grad + at * V_WIDTH, row, n, V_WIDTH, V_SPAN)
                logits = logits_of(q, k, scale, softcap, CAPPED)
                weight = _weights(logits - penalty, seen, log_sum + at, row, n)
                change = _of_scores(weight, do, v, inner + at, row, n)
                dv = product(tl.trans(weight).to(do.dtype), do, dv)
                total += tl.sum(change, 0)
                change = _through_cap(change, logits, softcap, CAPPED).to(q.dtype)
                dk = product(tl.trans(change), q, dk)
        tl.atomic_add(grad_carry + (entry * blocks + block) * m + column, -total, mask=column < m, sem="relaxed")
    lane, v_lane = tl.arange(0, SPAN), tl.arange(0, V_SPAN)
    where = ((entry * kv_heads + shared) * m + column)[:, None]
    there = (column < m)[:, None]
    tl.store(grad_key + where * WIDTH + lane[None, :], dk * scale, mask=there & (lane < WIDTH)[None, :])
    tl.store(grad_value + where * V_WIDTH + v_lane[None, :], dv, mask=there & (v_lane < V_WIDTH)[None, :])


@triton.jit
def of_queries(
    query,
    key,
    value,
    query_pos,
    key_pos,
    query_doc,
    key_doc,
    carry,
    live,
    log_sum,
    inner,
    grad,
    later,
    grad_query,
    grad_key,
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
    """What one tile adds to dQ of every head and, by the votes, to the selector's dQ and dK, in float32.

    Programs: key blocks, query blocks, B. ``later`` [B, blocks, M] is D.
    """
    key_block, block, entry = tl.program_id(0), tl.program_id(1), tl.program_id(2).to(tl.int64)
    if key_block * COLUMNS > m - n + block * ROWS + ROWS - 1:
        return
    blocks, key_blocks = tl.num_programs(1), tl.num_programs(0)
    row, column = block * ROWS + tl.arange(0, ROWS), key_block * COLUMNS + tl.arange(0, COLUMNS)
    qp, qd = place(query_pos, query_doc, entry * n, row, n)
    kp, kd = place(key_pos, key_doc, entry * m, column, m)
    seen = inside(qp, qd, kp, kd, window)
    q_at, k_at = (entry * heads + selector) * n, (entry * kv_heads + selector * kv_heads // heads) * m
    chosen = rows_of(query + q_at * WIDTH, row, n, WIDTH, SPAN)
    chosen_key = rows_of(key + k_at * WIDTH, column, m, WIDTH, SPAN)
    chosen_logits = logits_of(chosen, chosen_key, scale, softcap, CAPPED)
    votes = votes_of(chosen_logits, seen, qp, kp, protect)
    penalty = penalty_of(carry + (entry * (blocks + 1) + block) * m, votes, column, m)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for head in range(heads):
        if tl.load(live + ((entry * (heads // HEADS) + head // HEADS) * blocks + block) * key_blocks + key_block):
            at, kv_at = (entry * heads + head) * n, (entry * kv_heads + head * kv_heads // heads) * m
            q = rows_of(query + at * WIDTH, row, n, WIDTH, SPAN)
            k = rows_of(key + kv_at * WIDTH, column, m, WIDTH, SPAN)
            v = rows_of(value + kv_at * V_WIDTH, column, m, V_WIDTH, V_SPAN)
            do = rows_of(grad + at * V_WIDTH, row, n, V_WIDTH, V_SPAN)
            logits = logits_of(q, k, scale, softcap, CAPPED)
            change = _of_scores(_weights(logits - penalty, seen, log_sum + at, row, n), do, v, inner + at, row, n)
            total -= change
            change = _through_cap(change, logits, softcap, CAPPED).to(k.dtype)
            _add(grad_query + at * WIDTH, row, n, product(change, k) * scale, WIDTH, SPAN)
    behind = tl.load(later + (entry * blocks + block) * m + column, mask=column < m, other=0.0)
    of_votes = behind[None, :] + (tl.sum(total, 0)[None, :] - tl.cumsum(total, 0))
    change = _through_cap(tl.where(votes > 0, of_votes, 0.0), chosen_logits, softcap, CAPPED).to(chosen.dtype)
    of_chosen = product(change, chosen_key) * scale
    _add(grad_query + q_at * WIDTH, row, n, of_chosen, WIDTH, SPAN)
    of_chosen_key = product(tl.trans(change), chosen) * scale
    _add(grad_key + k_at * WIDTH, column, m, of_chosen_key, WIDTH, SPAN)


@triton.jit
def _weights(scores, seen, log_sum, row, n):
    """P of a tile, from its scores and the logarithm of the softmax's sum."""
    lse = tl.load(log_sum + row, mask=row < n, other=0.0)
    return tl.exp(tl.where(seen, scores - lse[:, None], float("-inf")))


@triton.jit
def _of_scores(weight, do, v, inner, row, n):
    """dA of a tile."""
    mean = tl.load(inner + row, mask=row < n, other=0.0)
    return weight * (product(do, tl.trans(v)) - mean[:, None])


@triton.jit
def _through_cap(change, logits, softcap, CAPPED: tl.constexpr):
    """The gradient before the soft cap, from that behind it and the capped logits."""
    return change * (1.0 - (logits / softcap) * (logits / softcap)) if CAPPED else change


@triton.jit
def _add(start, index, length, amount, WIDTH: tl.constexpr, SPAN: tl.constexpr) -> None:
    """Add [rows, SPAN] to rows ``index`` of a matrix [length, WIDTH], while other programs do the same."""
    lane = tl.arange(0, SPAN)
    there = (index < length)[:, None] & (lane < WIDTH)[None, :]
    tl.atomic_add(start + index[:, None] * WIDTH + lane[None, :], amount, mask=there, sem="relaxed")
