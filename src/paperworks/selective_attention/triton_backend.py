"""Selective attention by Triton's kernels, as an operator of torch's own library: it passes through torch.compile.

``paperworks::selective_attention`` and ``paperworks::selective_attention_backward`` take the layout spelled out, as
tensors of positions and documents. Memory beside inputs and outputs is a few times [B, N / ROWS, M] in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from . import triton_gradients, triton_kernels
from .layout import Layout

__all__ = ["attend", "backward", "forward"]

ROWS = 64  # queries in a block; the carry is kept once for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How many keys a tile has, how many heads share its penalty in one program, and Triton's warps and stages."""

    columns: int
    heads: int
    warps: int
    stages: int = 2


def launch(span: int, heads: int, bytes_each: int) -> Launch:
    """For heads of width ``span``, a power of two, of numbers of ``bytes_each``.

    Reasoned for H100 and H200 and not measured: what a program holds, which is mostly HEADS outputs ROWS x span in
    registers and the tiles of two stages in shared memory, shall leave room for a second program beside it.
    """
    size = span * bytes_each
    if size <= 128:
        return Launch(columns=32, heads=2 if heads % 2 == 0 else 1, warps=4)
    return Launch(columns=32, heads=1, warps=4) if size <= 256 else Launch(columns=16, heads=1, warps=8)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    before: Tensor,
    *,
    scale: float,
    selector_head: int,
    softcap: float | None,
) -> tuple[Tensor, Tensor]:
    """Output [B, H, N, V] and F_next [B, M], differentiable; see ``attention.attend``."""
    batch, _, queries, _ = query.shape
    keys = key.shape[2]
    nowhere = torch.zeros(1, 1, dtype=torch.int32, device=query.device)
    places = (
        _whole(layout.query_pos, batch, queries),
        _whole(layout.key_pos, batch, keys),
        _whole(nowhere if layout.query_doc is None else layout.query_doc, batch, queries),
        _whole(nowhere if layout.key_doc is None else layout.key_doc, batch, keys),
    )
    window = keys + 1 if layout.window is None else layout.window
    settings = (selector_head, layout.protect, window, scale, softcap or 0.0)
    output, _, carry, _ = forward(query, key, value, before.float(), *places, *settings)
    return output, carry[:, -1]


def _whole(numbers: Tensor, batch: int, length: int) -> Tensor:
    return numbers.to(torch.int32).expand(batch, length).contiguous()


@torch.library.custom_op("paperworks::selective_attention", mutates_args=())
def forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    before: Tensor,
    query_pos: Tensor,
    key_pos: Tensor,
    query_doc: Tensor,
    key_doc: Tensor,
    selector: int,
    protect: int,
    window: int,
    scale: float,
    softcap: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output [B, H, N, V], log-sums [B, H, N], carry [B, blocks + 1, M], live tiles [B, H / heads, blocks, key blocks].

    Positions and documents are [B, N] and [B, M] in int32; a ``softcap`` of 0 is none.
    """
    problem = _problem(query, key, value, selector, protect, window, scale, softcap)
    tensors = _tensors(query, key, value, query_pos, key_pos, query_doc, key_doc)
    output, log_sum, carry, live = _results(query, key, value, before)
    sums = carry.new_empty(carry.shape[0], problem.blocks, problem.m)
    problem.run(triton_kernels.column_sums, (problem.key_blocks, problem.blocks), **tensors, sums=sums)
    torch.cumsum(torch.cat([before[:, None], sums], 1), 1, out=carry)
    tensors |= {
        "carry": carry,
        "tiles": torch.empty_like(live, dtype=torch.int32),
        "counts": live.new_empty(live.shape[:3], dtype=torch.int32),
    }
    norm = torch.linalg.vector_norm(key, dim=-1, dtype=torch.float32)
    grid = (problem.blocks, live.shape[1])
    problem.run(triton_kernels.live_tiles, grid, **tensors, key_norm=norm, live=live.zero_())
    problem.run(triton_kernels.attend, grid, **tensors, output=output, log_sum=log_sum)
    return output, log_sum, carry, live


@torch.library.custom_op("paperworks::selective_attention_backward", mutates_args=())
def backward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_pos: Tensor,
    key_pos: Tensor,
    query_doc: Tensor,
    key_doc: Tensor,
    selector: int,
    protect: int,
    window: int,
    scale: float,
    softcap: float,
    output: Tensor,
    log_sum: Tensor,
    carry: Tensor,
    live: Tensor,
    grad: Tensor,
    grad_next: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of query, key, value and ``before``, from those of the output and of F_next [B, M]."""
    problem = _problem(query, key, value, selector, protect, window, scale, softcap)
    grad = grad.to(query.dtype).contiguous()
    tensors = _tensors(query, key, value, query_pos, key_pos, query_doc, key_doc) | {
        "carry": carry,
        "live": live,
        "log_sum": log_sum,
        "inner": (grad.float() * output).sum(-1),
        "grad": grad,
        "grad_key": torch.empty(key.shape, dtype=torch.float32, device=key.device),
    }
    grad_query, grad_value = (torch.zeros(x.shape, dtype=torch.float32, device=x.device) for x in (query, value))
    grad_carry = carry.new_zeros(carry.shape[0], problem.blocks, problem.m)
    more = {"grad_value": grad_value, "grad_carry": grad_carry}
    problem.run(triton_gradients.of_keys, (problem.key_blocks, key.shape[1]), **tensors, **more)
    later = torch.cat([grad_carry, grad_next[:, None]], 1).flip(1).cumsum(1).flip(1)  # of block I: from I on
    more = {"grad_query": grad_query, "later": later[:, 1:].contiguous()}
    problem.run(triton_gradients.of_queries, (problem.key_blocks, problem.blocks), **tensors, **more)
    grads = zip((grad_query, tensors["grad_key"], grad_value), (query, key, value), strict=True)
    first, second, third = (each.to(x.dtype) for each, x in grads)
    return first, second, third, later[:, 0].clone()


@forward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, before: Tensor, *settings: Any) -> tuple[Tensor, ...]:
    return _results(query, key, value, before)


@backward.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    carry = rest[-4]
    return *(torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in (query, key, value)), carry[:, 0].clone()


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    query, key, value, _, *places = inputs[:8]
    ctx.settings = inputs[8:]
    ctx.save_for_backward(query, key, value, *places, *output)


def _gradients(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    of_inputs = backward(*saved[:7], *ctx.settings, *saved[7:], grads[0], grads[2][:, -1])
    return *of_inputs, *(None,) * (4 + len(ctx.settings))


forward.register_autograd(_gradients, setup_context=_save)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Every number that a kernel may ask for, by the name it has there."""

    numbers: Mapping[str, Any]
    batch: int
    n: int
    m: int
    launch: Launch

    @property
    def blocks(self) -> int:
        return -(-self.n // ROWS)

    @property
    def key_blocks(self) -> int:
        return -(-self.m // self.launch.columns)

    def run(self, kernel: Any, grid: tuple[int, int], **tensors: Tensor) -> None:
        """``kernel`` on programs ``grid`` x B, with those of the tensors and numbers that it names."""
        known = {**tensors, **self.numbers}
        wanted = {name: known[name] for name in kernel.arg_names}
        with torch.cuda.device_of(tensors["query"]):
            kernel[*grid, self.batch](**wanted, num_warps=self.launch.warps, num_stages=self.launch.stages)


def _problem(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    selector: int,
    protect: int,
    window: int,
    scale: float,
    softcap: float,
) -> _Problem:
    batch, heads, n, width = query.shape
    _, kv_heads, m, v_width = value.shape
    span, v_span = (max(16, triton.next_power_of_2(each)) for each in (width, v_width))
    chosen = launch(max(span, v_span), heads, query.element_size())
    numbers: dict[str, Any] = {"n": n, "m": m, "heads": heads, "kv_heads": kv_heads}
    numbers |= {"selector": selector, "protect": protect}
    numbers |= {"window": window, "scale": scale, "softcap": softcap, "CAPPED": softcap > 0}
    numbers |= {"WIDTH": width, "SPAN": span, "V_WIDTH": v_width, "V_SPAN": v_span}
    numbers |= {"HEADS": chosen.heads, "ROWS": ROWS, "COLUMNS": chosen.columns}
    return _Problem(numbers=numbers, batch=batch, n=n, m=m, launch=chosen)


def _tensors(query: Tensor, key: Tensor, value: Tensor, *places: Tensor) -> dict[str, Tensor]:
    """The inputs by the names they have in kernels. A copy of what is not contiguous is small beside N x M work."""
    names = ("query_pos", "key_pos", "query_doc", "key_doc")
    whole = {"query": query.contiguous(), "key": key.contiguous(), "value": value.contiguous()}
    return whole | dict(zip(names, places, strict=True))


def _results(query: Tensor, key: Tensor, value: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Room for what the operator returns."""
    problem = _problem(query, key, value, 0, 0, 0, 0.0, 0.0)
    heads = query.shape[1]
    output = query.new_empty(problem.batch, heads, problem.n, value.shape[3])
    log_sum = before.new_empty(problem.batch, heads, problem.n)
    carry = before.new_empty(problem.batch, problem.blocks + 1, problem.m)
    groups = heads // problem.launch.heads
    live = before.new_empty(problem.batch, groups, problem.blocks, problem.key_blocks, dtype=torch.int8)
    return output, log_sum, carry, live
