"""A spline layer beside others on the same points: seconds of both passes, their limit, and what memory is held."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from paperworks.lab import timing
from paperworks.lab.timing import BenchRow

from .products import product

__all__ = ["beside", "held_bytes"]

_REPEATS = 11
_LIMIT = "the limit"


def beside(
    ours: nn.Module,
    peers: Mapping[str, nn.Module],
    *,
    rows: int,
    device: str = "cpu",
    targets: Mapping[str, float] | None = None,
) -> Iterator[BenchRow]:
    """A row a peer: outputs for ``rows`` points on [-1, 1] and gradients of their sum, all in turns.

    The limit is a square product of as many multiplications as ours cannot do without: each parameter is needed once a
    row for the outputs, and once for either gradient.
    """
    width = next(ours.parameters()).shape[0]
    x = (torch.rand(rows, width) * 2 - 1).to(device)
    found = timing.compare(
        _both_passes(ours.to(device), x),
        {
            **{name: _both_passes(module.to(device), x) for name, module in peers.items()},
            _LIMIT: _square_product(3 * rows * sum(parameter.numel() for parameter in ours.parameters()), device),
        },
        _REPEATS,
        synchronize=torch.cuda.synchronize if device.startswith("cuda") else lambda: None,
    )
    held = held_bytes(ours, x) / 1e6
    limit_s = found.peers[_LIMIT].seconds
    for row in found.rows(f"{rows} rows, {width} to {width}", limit_s=limit_s, targets=targets):
        if row.peer == _LIMIT:
            continue
        theirs = held_bytes(peers[row.peer], x) / 1e6
        yield dataclasses.replace(row, case=f"{row.case}: holds {held:.3g} MB, theirs {theirs:.3g} MB")


def _both_passes(module: nn.Module, x: Tensor) -> Callable[[], object]:
    x = x.clone().requires_grad_()
    inputs = [x, *(parameter for parameter in module.parameters() if parameter.requires_grad)]
    return lambda: torch.autograd.grad(module(x).sum(), inputs, allow_unused=True)


def _square_product(multiplications: int, device: str) -> Callable[[], object]:
    side = round(multiplications ** (1 / 3))
    left, right = torch.rand(2, side, side, device=device)
    multiply = product if device == "cpu" else torch.matmul
    return lambda: multiply(left, right)


def held_bytes(module: nn.Module, x: Tensor) -> int:
    """Memory that the forward pass keeps for the backward one, beside the module's own and the points."""
    x = x.clone().requires_grad_()
    own = {tensor.untyped_storage().data_ptr() for tensor in (x, *module.parameters(), *module.buffers())}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = module(x)
    del outputs
    return sum(size for place, size in kept.items() if place not in own)
