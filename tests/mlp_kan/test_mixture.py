"""Mixtures: routing against the plain version, and what must not depend on the order of things."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from paperworks.mlp_kan import MLPKAN, Experts, SoftMoE, TopKMoE, reference


@pytest.fixture
def experts():
    torch.manual_seed(0)
    return Experts(6, hidden=8, count=4)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_routing_is_that_of_the_plain_version(experts, top_k):
    mixture, tokens = TopKMoE(6, experts, top_k=top_k), torch.randn(9, 6)
    everything = experts(tokens.expand(4, 9, 6))
    weights = torch.tensor([reference.top_k_weights(row, top_k) for row in mixture.router(tokens).tolist()])
    torch.testing.assert_close(mixture(tokens), torch.einsum("ne,end->nd", weights, everything), atol=1e-5, rtol=0)


def test_tokens_do_not_see_each_other_and_an_expert_may_have_none(experts):
    mixture, tokens = TopKMoE(6, experts, top_k=1), torch.randn(9, 6)
    torch.testing.assert_close(mixture(tokens)[3:4], mixture(tokens[3:4]), atol=1e-6, rtol=0)
    order = torch.randperm(9)
    torch.testing.assert_close(mixture(tokens[order]), mixture(tokens)[order], atol=1e-6, rtol=0)


def test_gradients_reach_the_router_and_every_expert(experts):
    mixture = TopKMoE(6, experts, top_k=2).double()
    tokens = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    mixture(tokens).square().sum().backward()
    assert all(parameter.grad.flatten(1).any(dim=1).all() for parameter in mixture.parameters())


@pytest.mark.parametrize("dispatch", ["tokens", "paper"])
def test_soft_weights_sum_to_one_where_they_should(experts, dispatch):
    mixture, x = SoftMoE(6, experts, slots_per_expert=3, dispatch=dispatch), torch.randn(2, 5, 6)
    into, out = mixture.weights(x)
    torch.testing.assert_close(out.sum(-1), torch.ones(2, 5))
    torch.testing.assert_close(
        into.sum(1 if dispatch == "tokens" else 2), torch.ones(2, 12 if dispatch == "tokens" else 5)
    )


def test_soft_mixture_is_its_sums(experts):
    mixture, x = SoftMoE(6, experts, slots_per_expert=2), torch.randn(3, 5, 6)
    into, out = mixture.weights(x)
    slots = torch.einsum("bns,bnd->bsd", into, x)
    answers = torch.stack(
        [torch.stack([experts(slot.expand(4, 1, 6))[s // 2, 0] for s, slot in enumerate(b)]) for b in slots]
    )
    torch.testing.assert_close(mixture(x), out @ answers, atol=1e-5, rtol=0)


class _Operations(TorchDispatchMode):
    """Counts the operations that reach the device, by name."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[func.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", [TopKMoE, SoftMoE])
def test_more_experts_take_no_more_operations_though_the_official_code_loops_over_them(kind):
    counts = []
    for count in (2, 16):
        mixture, tokens = kind(6, Experts(6, hidden=8, count=count)), torch.randn(2, 40, 6)
        with _Operations() as operations:
            mixture(tokens)
        counts.append(operations.counts)
    assert counts[0] == counts[1]
    # The length of the longest queue is the only number that the program waits for.
    assert counts[0]["_local_scalar_dense.default"] == (kind is TopKMoE)


@pytest.mark.parametrize(
    ("router", "same"),
    [
        ("topk", lambda experts: TopKMoE(6, experts, top_k=2)),
        ("dense", lambda experts: TopKMoE(6, experts, top_k=4)),
        ("soft", lambda experts: SoftMoE(6, experts)),
        ("soft_paper", lambda experts: SoftMoE(6, experts, dispatch="paper")),
    ],
)
def test_the_feed_forward_part_takes_each_router(router, same):
    mixture, x = MLPKAN(6, hidden=8, num_experts=4, dropout=0.0, router=router), torch.randn(2, 5, 6)
    wanted = same(Experts(6, hidden=8, count=4))
    wanted.load_state_dict(mixture.mixture.state_dict())
    torch.testing.assert_close(mixture(x), wanted(x))


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_routing_is_told_by_expert_and_by_kind(experts, top_k):
    mixture, tokens = TopKMoE(6, experts, top_k=top_k), torch.randn(9, 6)
    mixture(tokens)
    weights = torch.tensor([reference.top_k_weights(row, top_k) for row in mixture.router(tokens).tolist()])
    told = mixture.last_routing
    torch.testing.assert_close(told.weight, weights.mean(0))
    torch.testing.assert_close(told.assignments, (weights > 0).float().mean(0) / top_k)
    assert told.kan_weight == pytest.approx(float(weights[:, 2:].sum()) / 9)
    assert told.kan_assignments == pytest.approx(float((weights[:, 2:] > 0).sum()) / (9 * top_k))


def test_soft_routing_is_what_experts_are_given_and_what_is_taken(experts):
    mixture, x = SoftMoE(6, experts, slots_per_expert=3, dispatch="paper"), torch.randn(2, 5, 6)
    mixture(x)
    into, out = (each.view(10, 4, 3).sum((0, 2)) / 10 for each in mixture.weights(x))
    torch.testing.assert_close(mixture.last_routing.assignments, into)
    torch.testing.assert_close(mixture.last_routing.weight, out)


def test_the_feed_forward_part_tells_of_its_latest_batch_and_holds_no_graph():
    mixture = MLPKAN(6, hidden=8, num_experts=4)
    assert mixture.last_routing is None
    mixture(torch.randn(2, 5, 6))
    assert not mixture.last_routing.weight.requires_grad
    assert 0 <= mixture.last_routing.kan_weight <= 1


def test_what_cannot_be_a_mixture_is_refused(experts):
    with pytest.raises(ValueError, match="even number"):
        Experts(6, hidden=8, count=3)
    with pytest.raises(ValueError, match="must be even"):
        Experts(6, hidden=7, count=4)
    with pytest.raises(ValueError, match="1 to 4"):
        TopKMoE(6, experts, top_k=5)
    with pytest.raises(ValueError, match="'tokens' or 'paper'"):
        SoftMoE(6, experts, dispatch="slots")
    with pytest.raises(ValueError, match="one of topk, dense"):
        MLPKAN(6, router="hard")
