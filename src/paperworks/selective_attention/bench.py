"""Selective attention beside plain causal attention, which is its limit, and beside the ways it is usually written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from paperworks.lab import Lab, timing
from paperworks.lab.timing import BenchRow

from .attention import penalties, selective_attention
from .layout import causal
from .reference import sketch

__all__ = ["bench"]

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]

OURS, PLAIN, SKETCH, BIAS, FLEX = "ours", "plain SDPA", "the paper's sketch", "SDPA with -F", "FlexAttention"
UNFUSED = "FlexAttention, not compiled"
FORWARD, BOTH = "forward", "forward and backward"

CPU_TARGETS = {FORWARD: {PLAIN: 1.8}, BOTH: {PLAIN: 2.5}}
GPU_TARGETS = {FORWARD: {PLAIN: 1.5, FLEX: 1 / 3}, BOTH: {PLAIN: 2.0, FLEX: 1 / 3}}

_REPEATS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One sequence: ``heads`` of width ``width`` over ``tokens``, and whether the selector ever votes.

    Where it does not, nothing can be left out, which is the worst that our kernels can meet; with random logits most
    of what lies 200 tokens back is silenced, which is more than most models would do.
    """

    tokens: int
    heads: int
    width: int = 64
    dtype: torch.dtype = torch.float32
    votes: bool = True

    def __str__(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        return f"{self.tokens} tokens, {self.heads} heads, {kind}{'' if self.votes else ', no votes'}"

    def inputs(self, device: str) -> list[Tensor]:
        """query, key and value [1, H, N, D]."""
        generator = torch.Generator().manual_seed(self.tokens)
        size = (1, self.heads, self.tokens, self.width)
        query, key, value = (torch.randn(size, generator=generator) for _ in range(3))
        if not self.votes:
            query[:, 0], key[:, 0] = -query[:, 0].abs(), key[:, 0].abs()
        return [tensor.to(device, self.dtype).requires_grad_() for tensor in (query, key, value)]


CPU_SHAPES = (Shape(tokens=1024, heads=8), Shape(tokens=2048, heads=8))
GPU_SHAPES = tuple(
    Shape(tokens=tokens, heads=16, dtype=torch.bfloat16, votes=votes)
    for tokens, votes in ((1024, False), (4096, False), (4096, True), (16384, False))
)


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a shape, pass and peer: times, and the memory that a pass takes beside its inputs, ours and the peer's.

    The limit is plain causal attention of the same shape, which does all of our work but the selection. On a CPU one
    thread computes; FlexAttention has no gradients there, and compiles on few.
    """
    if lab.device.startswith("cuda"):
        for shape in GPU_SHAPES:
            targets = GPU_TARGETS if shape.tokens == 4096 and not shape.votes else {}
            for what in (FORWARD, BOTH):
                yield from _rows(lab, shape, what, (PLAIN, BIAS, FLEX), targets.get(what, {}))
        return
    with timing.threads(1):
        for shape in CPU_SHAPES:
            for what in (FORWARD, BOTH):
                yield from _rows(lab, shape, what, _cpu_peers(shape, what), CPU_TARGETS[what])


def _cpu_peers(shape: Shape, what: str) -> tuple[str, ...]:
    """The slow ones beside the smallest shape only."""
    slow = () if shape is not CPU_SHAPES[0] else (SKETCH, UNFUSED) if what == FORWARD else (SKETCH,)
    return (PLAIN, BIAS, *slow)


def _rows(
    lab: Lab, shape: Shape, what: str, peers: tuple[str, ...], targets: Mapping[str, float]
) -> Iterator[BenchRow]:
    inputs = shape.inputs(lab.device)
    calls = {name: _call(what, method, inputs) for name, method in _methods((OURS, *peers)).items()}
    timed = lab.compare(calls[OURS], {name: calls[name] for name in peers}, _REPEATS)
    memory = {name: _megabytes(lab.device, call) for name, call in calls.items()}
    for row in timed.rows(f"{what}, {shape}", limit_s=timed.peers[PLAIN].seconds, targets=targets):
        said = f"{row.case}: +{memory[OURS]:.0f} MB, theirs +{memory[row.peer]:.0f} MB"
        yield replace(row, case=said)


def _methods(names: tuple[str, ...]) -> dict[str, Attention]:
    known: dict[str, Attention] = {
        OURS: selective_attention,  # type: ignore[dict-item]  # one tensor, without return_F
        PLAIN: partial(scaled_dot_product_attention, is_causal=True),
        BIAS: with_bias,
        SKETCH: sketch,
        FLEX: with_flex,
        UNFUSED: with_flex,
    }
    return {name: known[name] for name in names}


def with_bias(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Selective attention as SDPA with the whole of -F for a mask."""
    layout = causal(query.shape[2], key.shape[2], device=query.device)
    penalty, _ = penalties(query, key, layout, scale=query.shape[-1] ** -0.5)
    bias = (-penalty).masked_fill(~layout.visible(), float("-inf")).to(query.dtype)
    return scaled_dot_product_attention(query, key, value, attn_mask=bias[:, None])


def with_flex(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Selective attention by FlexAttention."""
    output = selective_attention(query, key, value, backend="flex")
    assert isinstance(output, Tensor)
    return output


def _call(what: str, method: Attention, inputs: list[Tensor]) -> Callable[[], object]:
    if what == FORWARD:
        return torch.no_grad()(partial(method, *(tensor.detach() for tensor in inputs)))
    weights = torch.randn_like(inputs[0])

    def both() -> object:
        return torch.autograd.grad(method(*inputs), inputs, weights)

    return both


def _megabytes(device: str, call: Callable[[], object]) -> float:
    """The most memory that torch holds during ``call`` beside what it held before."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    with TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        recorded.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((event for event in events if event["name"] == "[memory]"), key=lambda event: event["ts"])
    return max(accumulate((event["args"]["Bytes"] for event in changes), initial=0)) / 1e6
