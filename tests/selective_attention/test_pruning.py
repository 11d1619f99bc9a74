"""Which tokens are still there: the fast mask against the plain one, its invariants, windows, and the budgets' loss."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from paperworks.selective_attention import find_budgets, hf, prune_mask, pruned, reference, windowed
from paperworks.selective_attention.layout import padded
from paperworks.selective_attention.pruned_loss import PrunedLoss
from paperworks.selective_attention.pruning import survivors

from .conftest import CONFIGS, WINDOW


def penalties(batch, length, seed, *, tied=False):
    """F as votes bring it about; with ``tied`` votes of whole numbers, so that many penalties are equal."""
    votes = torch.rand(batch, length, length, generator=torch.Generator().manual_seed(seed)).tril(-1)
    votes = (votes * 3).floor() if tied else votes
    votes[:, :, 0] = 0
    return torch.nn.functional.pad(votes.cumsum(1), (0, 0, 1, 0))[:, :-1]


@settings(max_examples=60)
@given(
    length=st.integers(1, 18),
    batch=st.integers(1, 3),
    protect=st.integers(0, 4),
    more=st.integers(2, 18),
    seed=st.integers(0, 10_000),
    tied=st.booleans(),
)
def test_the_mask_is_the_references(length, batch, protect, more, seed, tied):
    penalty = penalties(batch, length, seed, tied=tied)
    mask = prune_mask(penalty, protect + more, protect)
    assert torch.equal(mask, reference.prune_mask(penalty, protect + more, protect))


@pytest.mark.parametrize("budget", [3, 7, 30])
def test_nothing_comes_back_and_no_query_finds_more_than_the_budget_and_itself(budget):
    alive = prune_mask(penalties(3, 24, seed=5), budget)
    assert int(alive.sum(-1).max()) == min(budget + 1, 24)
    assert bool(alive[:, :, 0].all())
    assert bool(alive.diagonal(dim1=1, dim2=2).all())
    for query in range(1, 24):
        came_back = alive[:, query, :query] & ~alive[:, query - 1, :query]
        assert not bool(came_back.any())


def test_with_a_window_what_is_out_of_sight_takes_no_place():
    """A row with padding and a row without, against a plain simulation."""
    penalty = penalties(2, 16, seed=3)
    there = torch.ones(2, 16, dtype=torch.bool)
    there[1, :4] = False
    layout = padded(there, 16, protect=1, window=6)
    alive, left = survivors(penalty, penalty[:, -1], layout, 4)
    for row, begin in ((0, 0), (1, 4)):
        stored = []
        for query in range(begin, 16):
            stored.append(query)
            assert sorted(stored) == alive[row, query].nonzero().flatten().tolist()
            stored = [key for key in stored if key > query + 1 - 6]
            loose = [key for key in stored if begin < key < query]
            if len(stored) > 4:
                after = penalty[row, min(query + 1, 15)]
                stored.remove(max(loose, key=lambda key: (float(after[key]), -key)))
        assert sorted(stored) == left[row].nonzero().flatten().tolist()
    assert not bool(alive[1, :4].any())


def test_a_budget_without_room_is_refused():
    with pytest.raises(ValueError, match="2 protected tokens and two more, not 3"):
        prune_mask(penalties(1, 8, seed=0), 3, protect=2)


@torch.no_grad()
def test_a_windowed_model_is_that_of_an_architecture_with_a_window(build, tokens):
    model, ids = build(), tokens(2, 16)
    mistral = AutoModelForCausalLM.from_config(CONFIGS["mistral"]())
    mistral.load_state_dict(model.state_dict())
    hf.enable(mistral.eval())
    whole = model(ids).logits
    with windowed(model, WINDOW):
        torch.testing.assert_close(model(ids).logits, mistral(ids).logits, rtol=0, atol=1e-5)
    assert torch.equal(model(ids).logits, whole)
    with pytest.raises(ValueError, match="own token at least"), windowed(model, 0):
        pass


def loss_of(model, ids, budgets):
    with torch.no_grad(), pruned(model, budgets):
        logits = model(ids).logits[:, :-1]
    return float(torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:]))


def test_the_loss_is_the_same_from_wherever_it_is_computed(family, build, tokens):
    model, ids = build(family), tokens(3, 20)
    loss = PrunedLoss(model, [{"input_ids": ids[:1]}, {"input_ids": ids[1:]}])
    loss.remember((6, 8))
    for budgets in ((6, 8), (6, 5), (4, 8), (20, 20)):
        limits = [None if budget == 20 else budget for budget in budgets]
        assert loss(budgets) == pytest.approx(loss_of(model, ids, limits), abs=1e-5)
    assert "forward" not in vars(model.get_submodule("transformer.h" if family == "gpt2" else "model.layers")[0])


def test_padding_counts_in_no_loss(build, tokens):
    model, ids = build(), tokens(1, 14)
    row = torch.cat([torch.zeros(1, 5, dtype=torch.long), ids], dim=1)
    there = (torch.arange(19) >= 5).long()[None]
    padded_loss = PrunedLoss(model, [{"input_ids": row, "attention_mask": there}])((4, 4))
    assert padded_loss == pytest.approx(PrunedLoss(model, [{"input_ids": ids}])((4, 4)), abs=1e-5)


def test_budgets_are_found_that_keep_the_loss_and_cannot_be_cut_further(build, tokens):
    model, ids = build(), tokens(4, 24)
    allowed = sorted(loss_of(model, ids, [first, second]) for first in range(3, 24, 4) for second in range(3, 24, 4))
    target = max(loss_of(model, ids, None) + 1e-4, allowed[len(allowed) // 3])
    heard = []
    found = find_budgets(model, [ids[:2], ids[2:]], target, step=2, progress=lambda *said: heard.append(said))
    again = find_budgets(model, [ids[:2], ids[2:]], target, step=2)
    assert found == again
    assert found.loss <= target
    assert found.loss == pytest.approx(loss_of(model, ids, [b if b < 24 else None for b in found.budgets]), abs=1e-5)
    assert found.memory_factor == pytest.approx(2 * 24 / sum(found.budgets))
    assert found.memory_factor > 1
    assert all(point.loss <= target for point in found.curve)
    assert found.curve[0].budgets == (24, 24)
    assert heard[-1][0] == "find budgets"
    assert all(0 <= saved < total for _, saved, total in heard)


def test_a_layer_that_does_not_select_keeps_the_whole_context(build, tokens):
    model, ids = build(layers=[1]), tokens(2, 16)
    found = find_budgets(model, [ids], 100.0, step=2)
    assert found.budgets == (16, 3)


def test_an_interrupted_search_gives_what_it_has(build, tokens):
    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    found = find_budgets(build(), [tokens(2, 24)], 100.0, progress=interrupt)
    assert not found.complete
    assert found.budgets == (3, 3)


def test_a_search_that_cannot_succeed_says_so(build, tokens):
    model, ids = build(), tokens(1, 12)
    with pytest.raises(ValueError, match=r"without any pruning, above the target of 0\.1000"):
        find_budgets(model, [ids], 0.1)
    with pytest.raises(ValueError, match="two tokens and a step of 1"):
        find_budgets(model, [], 1.0)
    assert not model.training
