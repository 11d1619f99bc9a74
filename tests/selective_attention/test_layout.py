"""Who sees and votes on whom: causality, padding, documents, windows, protected tokens."""

from __future__ import annotations

import pytest
import torch

from paperworks.selective_attention.layout import causal, packed, padded


def pairs(allowed):
    """[N, M] as rows of 0 and 1."""
    return allowed.int().tolist()


def test_the_last_queries_of_a_sequence_see_themselves_and_the_past():
    layout = causal(2, 4)
    assert pairs(layout.visible()[0]) == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert pairs(layout.votes()[0]) == [[0, 1, 0, 0], [0, 1, 1, 0]]  # neither the first token nor oneself


@pytest.mark.parametrize("protect", [0, 2])
def test_protected_tokens_are_the_first(protect):
    assert pairs(causal(1, 4, protect=protect).votes()[0]) == [[int(protect == 0), int(protect == 0), 1, 0]]


def test_a_window_hides_what_lies_before_it():
    layout = causal(4, 4, window=2)
    assert pairs(layout.visible()[0]) == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert pairs(layout.votes()[0]) == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_padding_neither_sees_nor_is_seen_and_the_first_token_after_it_is_protected():
    layout = padded(torch.tensor([[0, 0, 1, 1, 1]]), 5)
    assert layout.key_pos.tolist() == [[-1, -1, 0, 1, 2]]
    assert pairs(layout.visible()[0]) == [[0] * 5, [0] * 5, [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 1]]
    assert pairs(layout.votes()[0])[4] == [0, 0, 0, 1, 0]


def test_padding_on_the_right_and_within_works_too():
    assert padded(torch.tensor([[1, 1, 0, 1, 0]]), 5).query_pos.tolist() == [[0, 1, -1, 2, -1]]


def test_documents_see_themselves_alone_and_begin_anew():
    layout = packed(torch.tensor([[7, 7, 7, 3, 3, 7, -1]]), 7)
    assert layout.key_pos.tolist() == [[0, 1, 2, 0, 1, 0, -1]]
    assert pairs(layout.visible()[0])[4] == [0, 0, 0, 1, 1, 0, 0]
    assert pairs(layout.votes()[0])[2] == [0, 1, 0, 0, 0, 0, 0]
    assert pairs(layout.visible()[0])[6] == [0] * 7


def test_a_part_of_a_layout_is_the_part_of_the_whole():
    layout = packed(torch.tensor([[0, 0, 0, 1, 1, 1]]), 5, window=2)
    rows, columns = slice(1, 4), slice(2, 5)
    assert torch.equal(layout.visible(rows, columns), layout.visible()[:, rows, columns])
    assert torch.equal(layout.votes(rows, columns), layout.votes()[:, rows, columns])
