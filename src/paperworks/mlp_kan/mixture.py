"""Mixtures of MLP and KAN experts, all experts of a kind in one product: the feed-forward part of MLP-KAN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .bumps import CENTRES, centres, switch_basis

__all__ = ["MLPKAN", "Experts", "Routing", "SoftMoE", "TopKMoE"]


class Experts(nn.Module):
    """Half MLPs, half two-layer KANs of switch functions; expert e maps row e of [E, N, dim] to that of the result.

    Raises ValueError for an odd number of experts, or a hidden width that the KANs cannot halve.
    """

    centres: Tensor

    def __init__(self, dim: int, *, hidden: int, count: int) -> None:
        super().__init__()
        if count < 2 or count % 2:
            raise ValueError(f"{count} experts cannot be half MLPs, half KANs: take an even number of them")
        if hidden < 2 or hidden % 2:
            raise ValueError(f"hidden is {hidden}: the KAN experts have half of it, so it must be even")
        half, narrow = count // 2, hidden // 2
        self.count = count
        self.register_buffer("centres", centres())
        self.rise, self.rise_bias = _stack(half, dim, hidden), nn.Parameter(torch.zeros(half, 1, hidden))
        self.fall, self.fall_bias = _stack(half, hidden, dim), nn.Parameter(torch.zeros(half, 1, dim))
        self.kan_in, self.kan_out = _stack(half, dim * CENTRES, narrow), _stack(half, narrow * CENTRES, dim)
        self.norm_in, self.norm_out = _norms(half, dim), _norms(half, narrow)

    def forward(self, tokens: Tensor) -> Tensor:
        """[E, N, dim] to [E, N, dim]; the first half of the rows goes to the MLPs."""
        plain, curved = tokens.chunk(2)
        plain = torch.baddbmm(self.rise_bias, plain, self.rise)
        plain = torch.baddbmm(self.fall_bias, functional.silu(plain), self.fall)
        curved = self._curves(self._curves(curved, self.norm_in, self.kan_in), self.norm_out, self.kan_out)
        return torch.cat([plain, curved])

    def _curves(self, x: Tensor, norm: Tensor, weight: Tensor) -> Tensor:
        x = functional.layer_norm(x, x.shape[-1:]) * norm[:, 0] + norm[:, 1]
        return torch.bmm(switch_basis(x, self.centres).flatten(-2), weight)


def _stack(count: int, rows: int, columns: int) -> nn.Parameter:
    bound = math.sqrt(6 / (rows + columns))
    return nn.Parameter(torch.empty(count, rows, columns).uniform_(-bound, bound))


def _norms(count: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.stack([torch.ones(count, 1, width), torch.zeros(count, 1, width)], dim=1))


@dataclass(frozen=True, slots=True)
class Routing:
    """What the latest batch went to: each expert's share of the assignments, and of the weight, both [E] of sum 1.

    The first half of the experts are MLPs, the others KANs. Where every token goes to every expert in part, as in a
    soft mixture, assignments are what experts are given, and weight is what is taken of their answers.
    """

    assignments: Tensor
    weight: Tensor

    @property
    def kan_assignments(self) -> float:
        """The KAN experts' share of the assignments."""
        return float(self.assignments.chunk(2)[1].sum())

    @property
    def kan_weight(self) -> float:
        """The KAN experts' share of the weight."""
        return float(self.weight.chunk(2)[1].sum())


def _routing(assignments: Tensor, weight: Tensor) -> Routing:
    given, taken = assignments.detach().float(), weight.detach().float()
    return Routing(given / given.sum(), taken / taken.sum())


class TopKMoE(nn.Module):
    """Each token goes to its k likeliest experts, whose softmax weights are scaled to the sum 1 (Appendix A).

    Tokens are sorted by expert and padded to the fullest one: no token is dropped, no expert is looped over.
    ``last_routing`` tells of the latest batch. Raises ValueError if there are fewer experts than top_k.
    """

    last_routing: Routing | None = None

    def __init__(self, dim: int, experts: Experts, *, top_k: int = 2) -> None:
        super().__init__()
        if not 1 <= top_k <= experts.count:
            raise ValueError(f"top_k is {top_k}: it must be 1 to {experts.count}, the number of experts")
        self.router, self.experts, self.top_k = nn.Linear(dim, experts.count, bias=False), experts, top_k

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] to [..., dim]."""
        tokens = x.reshape(-1, x.shape[-1])
        weights, chosen = functional.softmax(self.router(tokens).float(), dim=-1).topk(self.top_k)
        weights = (weights / weights.sum(dim=-1, keepdim=True)).to(x.dtype)
        row, place, longest = _places(chosen.flatten(), self.experts.count)
        self.last_routing = self._tell(row, weights)
        queues = tokens.new_zeros(self.experts.count, longest, x.shape[-1])
        queues = queues.index_put((row, place), tokens.repeat_interleave(self.top_k, dim=0))
        answers = self.experts(queues)[row, place].view(-1, self.top_k, x.shape[-1])
        mixed: Tensor = (weights[..., None] * answers).sum(dim=1)
        return mixed.reshape(x.shape)

    def _tell(self, expert: Tensor, weights: Tensor) -> Routing:
        nothing = torch.zeros(self.experts.count, device=weights.device)
        shares = weights.detach().flatten().float()
        return _routing(nothing.index_add(0, expert, torch.ones_like(shares)), nothing.index_add(0, expert, shares))


def _places(expert: Tensor, count: int) -> tuple[Tensor, Tensor, int]:
    """Each assignment's expert, its place in that expert's queue, and the length of the longest queue."""
    order = expert.argsort(stable=True)
    lengths = torch.bincount(expert, minlength=count)
    starts = lengths.cumsum(0) - lengths
    place = torch.empty_like(order)
    place[order] = torch.arange(len(expert), device=expert.device) - starts[expert[order]]
    return expert, place, int(lengths.max())


class SoftMoE(nn.Module):
    """Experts see slots, each a weighted mean of all tokens, and each token a weighted mean of all slots (2308.00951).

    ``dispatch="tokens"`` weighs the tokens of a slot by a softmax over tokens; ``"paper"`` takes the softmax over slots
    for that too, as Eq. 11 of MLP-KAN is written, so that a slot is a sum whose weights do not add up to 1.
    ``last_routing`` tells of the latest batch.
    """

    last_routing: Routing | None = None

    def __init__(self, dim: int, experts: Experts, *, slots_per_expert: int = 1, dispatch: str = "tokens") -> None:
        super().__init__()
        if dispatch not in ("tokens", "paper"):
            raise ValueError(f"dispatch is {dispatch!r}: it must be 'tokens' or 'paper'")
        self.experts, self.dispatch = experts, dispatch
        self.slots = nn.Parameter(torch.randn(experts.count, slots_per_expert, dim) / math.sqrt(dim))

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of x [B, N, dim] the dispatch and the combine weights, both [B, N, E * S]."""
        logits = x @ self.slots.flatten(0, 1).T
        combine = functional.softmax(logits, dim=-1)
        return (functional.softmax(logits, dim=1) if self.dispatch == "tokens" else combine), combine

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, dim] to [B, N, dim]."""
        dispatch, combine = self.weights(x)
        count, slots, dim = self.slots.shape
        self.last_routing = _routing(
            *(each.unflatten(-1, (count, slots)).sum((0, 1, 3)) for each in (dispatch, combine))
        )
        queues = (dispatch.mT @ x).view(-1, count, slots, dim).transpose(0, 1).reshape(count, -1, dim)
        answers = self.experts(queues).view(count, -1, slots, dim).transpose(0, 1).flatten(1, 2)
        mixed: Tensor = combine @ answers
        return mixed


_ROUTERS: dict[str, Callable[[int, Experts, int], nn.Module]] = {
    "topk": lambda dim, experts, top_k: TopKMoE(dim, experts, top_k=top_k),
    "dense": lambda dim, experts, top_k: TopKMoE(dim, experts, top_k=experts.count),
    "soft": lambda dim, experts, top_k: SoftMoE(dim, experts),
    "soft_paper": lambda dim, experts, top_k: SoftMoE(dim, experts, dispatch="paper"),
}


class MLPKAN(nn.Module):
    """The feed-forward part of MLP-KAN: 8 experts, half MLPs, half KANs, each token to its best 2, then dropout.

    ``router`` is "topk" as in the paper's appendix and code; "dense", where every token goes to all experts; "soft",
    the slots of Soft MoE; or "soft_paper", those of Eq. 11. ``top_k`` counts for the first only, and slots take
    [B, N, dim] only. Raises ValueError for another router.
    """

    def __init__(
        self,
        dim: int,
        *,
        hidden: int = 192,
        num_experts: int = 8,
        top_k: int = 2,
        dropout: float = 0.1,
        router: str = "topk",
    ) -> None:
        super().__init__()
        if router not in _ROUTERS:
            raise ValueError(f"router is {router!r}: it must be one of {', '.join(_ROUTERS)}")
        self.mixture = _ROUTERS[router](dim, Experts(dim, hidden=hidden, count=num_experts), top_k)
        self.dropout = nn.Dropout(dropout)

    @property
    def last_routing(self) -> Routing | None:
        """What the latest batch went to; None before the first."""
        routing: Routing | None = self.mixture.last_routing
        return routing

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] to [..., dim]."""
        mixed: Tensor = self.dropout(self.mixture(x))
        return mixed
