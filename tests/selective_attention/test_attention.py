"""Selective attention itself: the paper's sketch and a hand example, what always holds, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from paperworks import selective_attention as sa
from paperworks.selective_attention import reference
from paperworks.selective_attention.layout import causal

HAND = torch.tensor([[0.3, 9, 9, 9], [1, 2, 9, 9], [0.5, 1.5, 3, 9], [2, -1, 4, 1]])
"""The selector's logits of four tokens; the nines stand where a query must not look."""


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def tokens(length, heads=2, kv_heads=2, width=4, batch=1, **more):
    return [
        normal(batch, count, length, width, seed=seed, **more) for seed, count in enumerate((heads, kv_heads, kv_heads))
    ]


def test_the_hand_example():
    penalty, after = reference.selection(HAND[None], causal(4, 4))
    assert penalty[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1.5, 0, 0]]
    assert after[0].tolist() == [0, 1.5, 4, 0]


def test_selection_is_the_penalty_of_attention_from_logits_of_ones_own():
    query, key, value = tokens(9, heads=1, kv_heads=1, batch=2)
    logits = (query @ key.mT)[:, 0] / 2
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [-1, -1, 5, 5, 5, 5, 5, 5, 5]])
    for more in ({}, {"protect": 2}, {"segment_ids": documents}, {"F0": normal(2, 9).abs()}):
        _, *wanted = sa.selective_attention(query, key, value, return_F=True, **more)
        found = sa.selection(logits.masked_fill(torch.ones(9, 9).triu(1) > 0, float("-inf")), **more)
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(found, wanted, strict=True))


def test_selection_takes_positions_for_keys_that_do_not_stand_in_place():
    """A cache of tokens 0, 2 and 5 and a query at 6: it votes on 2 and 5, whatever places they have."""
    logits = torch.tensor([[[3.0, 1.0, 2.0, 9.0]]])
    places = {"query_pos": torch.tensor([[6]]), "key_pos": torch.tensor([[5, 0, 2, 6]])}
    penalty, after = sa.selection(logits, F0=torch.tensor([[0.5, 0.0, 0.25, 0.0]]), **places)
    assert penalty.tolist() == [[[0.5, 0.0, 0.25, 0.0]]]
    assert after.tolist() == [[3.5, 0.0, 2.25, 0.0]]
    _, apart = sa.selection(logits, segment_ids=torch.tensor([[1, 1, 0, 1]]), **places)
    assert apart.tolist() == [[3.0, 0.0, 0.0, 0.0]]
    numbers = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: sa.selection(given, **places), numbers)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"l0": torch.zeros(1, 2, 2).long()}, TypeError, "floating-point"),
        ({"l0": torch.zeros(1, 3, 2)}, ValueError, r"the last N of M tokens: \[1, 3, 2\]"),
        ({"l0": torch.zeros(2, 2)}, ValueError, "does not fit"),
        ({"protect": -1}, ValueError, "not a number of tokens"),
        ({"F0": torch.zeros(2, 2)}, ValueError, r"F0 must be \[B, M\] = \[1, 2\]"),
        ({"key_pos": torch.zeros(1, 2).long()}, ValueError, "query_pos and key_pos, or neither"),
        ({"key_pos": torch.zeros(1, 2).long(), "query_pos": torch.zeros(1, 1).long()}, ValueError, "query_pos must be"),
    ],
)
def test_selection_refuses_in_one_sentence_too(given, error, words):
    with pytest.raises(error, match=words):
        sa.selection(**({"l0": torch.zeros(1, 2, 2)} | given))


def test_the_hand_example_tells_the_wrong_axis_and_a_missing_shift():
    layout = causal(4, 4)
    votes = torch.relu(HAND).masked_fill(~layout.votes()[0], 0.0)
    over_keys = torch.cat([torch.zeros(1, 4), votes[:-1]]).cumsum(-1)
    unshifted = votes.cumsum(0)
    penalty, _ = reference.selection(HAND[None], layout)
    assert not torch.allclose(over_keys, penalty[0])
    assert not torch.allclose(unshifted, penalty[0])


@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=25)
def test_the_reference_is_the_papers_sketch_with_shared_key_heads_too(length, kv_heads, groups, batch, seed):
    query, key, value = (
        normal(batch, heads, length, 5, seed=3 * seed + i) * 2
        for i, heads in enumerate((kv_heads * groups, kv_heads, kv_heads))
    )
    output, _, _ = reference.attention(query, key, value, causal(length, length))
    sketched = reference.sketch(query, key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1))
    assert torch.allclose(output, sketched, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_no_penalty_can_act_on_the_first_three_queries(length):
    query, key, value = tokens(length)
    plain = scaled_dot_product_attention(query, key, value, is_causal=True)
    assert torch.allclose(sa.selective_attention(query, key, value), plain, atol=1e-14)


@given(st.integers(2, 30), st.integers(0, 99))
@settings(max_examples=25)
def test_penalties_never_fall_and_spare_the_first_token_oneself_and_the_one_before(length, seed):
    query, key = normal(1, 2, length, 4, seed=seed), normal(1, 2, length, 4, seed=seed + 1000)
    penalty, after = sa.attention.penalties(query, key, causal(length, length), scale=2.0)
    assert (penalty >= 0).all()
    assert (torch.cat([penalty, after[:, None]], 1).diff(dim=1) >= 0).all()
    assert (penalty[:, :, 0] == 0).all()
    assert (penalty.diagonal(0, 1, 2) == 0).all()
    assert (penalty.diagonal(-1, 1, 2) == 0).all()
    assert (penalty.triu() == 0).all()


@pytest.mark.parametrize("backend", ["eager", "block"])
def test_a_token_changes_neither_outputs_before_it_nor_their_gradients(backend):
    query, key, value = (x.requires_grad_() for x in tokens(70))
    output = sa.selective_attention(query, key, value, backend=backend)
    grads = torch.autograd.grad(output[:, :, :66].sum(), [query, key, value])
    assert all((grad[:, :, 66:] == 0).all() for grad in grads)
    with torch.no_grad():
        for x in (query, key, value):
            x[:, :, 66] += 1.0
    assert torch.equal(sa.selective_attention(query, key, value, backend=backend)[:, :, :66], output[:, :, :66])


def test_other_heads_may_change_places_the_selector_may_not():
    query, key, value = tokens(20, heads=4, kv_heads=4)
    order = [0, 3, 1, 2]
    output = sa.selective_attention(query, key, value)
    moved = sa.selective_attention(query[:, order], key[:, order], value[:, order])
    assert torch.allclose(moved, output[:, order], atol=1e-12)
    order = [1, 0, 2, 3]
    moved = sa.selective_attention(query[:, order], key[:, order], value[:, order])
    assert not torch.allclose(moved, output[:, order], atol=1e-3)
    named = sa.selective_attention(query[:, order], key[:, order], value[:, order], selector_head=1)
    assert torch.allclose(named, output[:, order], atol=1e-12)


def test_a_selector_that_votes_for_nothing_leaves_attention_as_it_is_bit_for_bit():
    query, key, value = tokens(200, heads=3, kv_heads=3, width=16, dtype=torch.float32)
    query[:, 0], key[:, 0] = -query[:, 0].abs(), key[:, 0].abs()
    ours = sa.selective_attention(query, key, value, backend="block")
    for start in range(0, 200, sa.block.BLOCK):  # the same product as ours, so that rounding is the same
        rows, end = slice(start, min(start + sa.block.BLOCK, 200)), min(start + sa.block.BLOCK, 200)
        bias = torch.zeros(end, end).masked_fill(torch.ones(end, end).triu(1) > 0, float("-inf"))[rows]
        plain = scaled_dot_product_attention(query[:, :, rows], key[:, :, :end], value[:, :, :end], attn_mask=bias)
        assert torch.equal(ours[:, :, rows], plain)


@pytest.mark.parametrize("backend", ["eager", "block"])
def test_gradients_are_those_of_finite_differences_through_the_penalty_too(backend):
    query, key, value = tokens(6, heads=4, kv_heads=2, batch=2, width=3)
    before = torch.rand(2, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    inputs = [x.requires_grad_() for x in (query, key, value, before)]

    def attend(query, key, value, before):
        return sa.selective_attention(query, key, value, F0=before, softcap=2.0, return_F=True, backend=backend)

    assert torch.autograd.gradcheck(attend, inputs, eps=1e-7)


def test_selection_learns():
    """The output of head 1 depends on head 0's queries by way of the penalty alone."""
    query, key, value = (x.requires_grad_() for x in tokens(12))
    (of_query,) = torch.autograd.grad(sa.selective_attention(query, key, value)[:, 1].sum(), [query])
    assert of_query[:, 0].abs().max() > 1e-3


@pytest.mark.parametrize("backend", ["eager", "block"])
@pytest.mark.parametrize("size", [1, 3, 40, 70])
def test_chunks_that_hand_f_on_equal_the_whole(size, backend):
    query, key, value = tokens(70, heads=4)
    whole, penalty, after = sa.selective_attention(query, key, value, return_F=True)
    F, parts = None, []
    for start in range(0, 70, size):
        stop = min(start + size, 70)
        given = None if F is None else torch.nn.functional.pad(F, (0, stop - start))
        part, acted, F = sa.selective_attention(
            query[:, :, start:stop], key[:, :, :stop], value[:, :, :stop], F0=given, return_F=True, backend=backend
        )
        parts.append(part)
        assert torch.allclose(acted, penalty[:, start:stop, :stop])
    assert torch.allclose(torch.cat(parts, 2), whole)
    assert torch.allclose(F, after)


@pytest.mark.parametrize("backend", ["eager", "block"])
def test_a_padded_row_is_the_row_without_padding_and_a_document_the_document_alone(backend):
    query, key, value = tokens(75, batch=2)
    lengths, more = (75, 60), {"backend": backend, "return_F": True}
    present = torch.arange(75) >= torch.tensor([[75 - length] for length in lengths])
    output, penalty, _ = sa.selective_attention(query, key, value, attn_mask=present, **more)
    for row, length in enumerate(lengths):
        rest = slice(75 - length, None)
        alone, acted, _ = sa.selective_attention(*(x[row : row + 1, :, rest] for x in (query, key, value)), **more)
        assert torch.allclose(output[row, :, rest], alone[0])
        assert torch.allclose(penalty[row, rest, rest], acted[0])
    assert (output[1, :, :15] == 0).all()
    documents = (torch.arange(75) >= 30).long().expand(2, -1)
    output, _, _ = sa.selective_attention(query, key, value, segment_ids=documents, **more)
    for part in (slice(30), slice(30, None)):
        alone, _, _ = sa.selective_attention(*(x[:, :, part] for x in (query, key, value)), **more)
        assert torch.allclose(output[:, :, part], alone)


def test_a_budget_hides_what_was_voted_out_and_a_large_one_nothing():
    query, key, value = tokens(30)
    output, penalty, _ = sa.selective_attention(query, key, value, return_F=True)
    assert torch.allclose(sa.selective_attention(query, key, value, budget=30), output)
    pruned = sa.selective_attention(query, key, value, budget=6)
    alive = reference.prune_mask(penalty, 6)
    by_hand, _, _ = reference.attention(query, key, value, causal(30, 30), alive=alive)
    assert torch.allclose(pruned, by_hand)
    assert torch.allclose(pruned[:, :, :7], output[:, :, :7])
    assert not torch.allclose(pruned, output, atol=1e-3)


@given(st.integers(3, 20), st.integers(3, 10), st.integers(0, 99))
@settings(max_examples=25)
def test_pruning_keeps_within_the_budget_the_first_and_the_newest_and_nothing_returns(length, budget, seed):
    query = normal(2, 1, length, 4, seed=seed)
    penalty, _ = sa.attention.penalties(query, query, causal(length, length), scale=1.0)
    alive = reference.prune_mask(penalty, budget)
    assert torch.equal(alive, sa.prune_mask(penalty, budget))
    assert (alive.sum(-1) == torch.arange(1, length + 1).clamp(max=budget + 1)).all()
    assert alive[:, :, 0].all()
    assert alive.diagonal(0, 1, 2).all()
    assert all(not (~alive[:, i] & alive[:, i + 1])[:, : i + 1].any() for i in range(length - 1))


def test_dropout_drops_weights_and_keeps_the_mean():
    query, key, value = tokens(8)
    torch.manual_seed(0)
    many = torch.stack([sa.selective_attention(query, key, value, dropout_p=0.5) for _ in range(400)])
    assert not torch.allclose(many[0], many[1])
    assert torch.allclose(many.mean(0), sa.selective_attention(query, key, value), atol=0.25)


QUERY, KEY = torch.zeros(2, 4, 5, 8), torch.zeros(2, 2, 5, 8)
REFUSED = [
    ({"query": QUERY.long()}, TypeError, "floating-point"),
    ({"query": QUERY.half()}, TypeError, "must have one type, not torch.float16"),
    ({"query": QUERY[0]}, ValueError, r"query is \[B, H, N, D\]"),
    ({"query": QUERY[:1]}, ValueError, "do not fit"),
    ({"query": QUERY[:, :3]}, ValueError, "do not fit"),
    ({"query": torch.zeros(2, 4, 6, 8)}, ValueError, "6 cannot be of 5 tokens"),
    ({"query": QUERY[:, :, :0]}, ValueError, "0 cannot be of 5 tokens"),
    ({"value": KEY[:, :, :4]}, ValueError, r"value \[B, H_kv, M, D\]"),
    ({"selector_head": 4}, ValueError, "selector_head=4 does not exist: heads are 0 to 3"),
    ({"selector_head": -1}, ValueError, "selector_head=-1 does not exist"),
    ({"protect": -1}, ValueError, "protect=-1 is not a number of tokens"),
    ({"window": 0}, ValueError, "a window of 0 hides a query from itself"),
    ({"softcap": 0.0}, ValueError, "softcap=0.0 leaves no logits"),
    ({"dropout_p": 1.0}, ValueError, "dropout_p=1.0 is no share"),
    ({"attn_mask": torch.ones(5, 5)}, ValueError, "this attention is causal by definition"),
    ({"attn_mask": torch.ones(2, 4, 5, 5)}, ValueError, r"attn_mask must be \[B, M\] = \[2, 5\]"),
    ({"F0": torch.zeros(2, 4)}, ValueError, r"F0 must be \[B, M\]"),
    ({"attn_mask": torch.ones(2, 5), "segment_ids": torch.ones(2, 5)}, ValueError, "not both"),
    ({"budget": 2}, ValueError, "a budget must hold 1 protected tokens and two more, not 2"),
    ({"budget": 4, "query": QUERY[:, :, 1:]}, ValueError, "all queries from the first on"),
    ({"budget": 4, "segment_ids": torch.ones(2, 5)}, ValueError, "rows of their own"),
    ({"backend": "cuda"}, ValueError, "unknown backend 'cuda': choose one of auto, eager, block, triton, flex"),
    ({"backend": "block", "dropout_p": 0.1}, ValueError, "neither dropout nor pruning: use backend='eager'"),
    ({"backend": "triton", "budget": 4}, ValueError, "neither dropout nor pruning"),
    ({"backend": "flex", "query": QUERY.clone().requires_grad_()}, ValueError, "no gradients on a CPU"),
    ({"backend": "triton", "double": True}, ValueError, "does not compute in torch.float64"),
]


@pytest.mark.parametrize(("changed", "error", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_what_cannot_be_is_refused_in_one_sentence(changed, error, words):
    given = {"query": QUERY, "key": KEY, "value": KEY} | changed
    if given.pop("double", False):
        given |= {name: given[name].double() for name in ("query", "key", "value")}
    with pytest.raises(error, match=words):
        sa.selective_attention(given.pop("query"), given.pop("key"), given.pop("value"), **given)
