"""Kneser-Ney against answers worked out by hand, a slow direct version, and the laws of probability."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks.lab.ngram import KneserNey, discounts


def direct(stream: list[int], vocabulary: int, order: int, context: tuple[int, ...], token: int) -> float:
    """The estimate by dictionaries, recursively, as it is written in the module's formula."""
    padded = [-1, *stream]  # the one token before the stream, unlike all others

    def counts(length: int) -> Counter[tuple[int, ...]]:
        if length == order:
            return Counter(tuple(stream[i : i + length]) for i in range(len(stream) - length + 1))
        longer = {tuple(padded[i : i + length + 1]) for i in range(len(padded) - length)}
        return Counter(gram[1:] for gram in longer)

    def estimate(history: tuple[int, ...], length: int) -> float:
        if length == 0:
            return 1.0 / vocabulary
        lower = estimate(history[1:], length - 1)
        table = counts(length)
        taken = discounts(np.array(list(table.values())))
        followers = {gram: c for gram, c in table.items() if gram[:-1] == history}
        if len(history) < length - 1 or not followers:
            return lower
        total = sum(followers.values())
        left = sum(taken[min(c, 3) - 1] for c in followers.values()) / total
        own = followers.get((*history, token), 0)
        return (own - taken[min(own, 3) - 1] if own else 0.0) / total + left * lower

    def from_longest(length: int) -> float:
        return estimate(context[len(context) - length + 1 :] if length > 1 else (), length)

    return from_longest(min(order, len(context) + 1))


def test_bigrams_by_hand() -> None:
    """a b a b a c: bigrams ab 2, ba 2, ac 1; preceded by: a {start, b}, b {a}, c {a}."""
    grams = KneserNey(np.array([0, 1, 0, 1, 0, 2]), vocabulary=3, order=2)
    # bigrams: n1 = 1, n2 = 2 -> D = 1/5; unigrams: counts 2, 1, 1: n1 = 2, n2 = 1 -> D = 2/4 = 1/2
    unigram = [(2 - 0.5) / 4 + 3 * 0.5 / 4 / 3, (1 - 0.5) / 4 + 0.125, (1 - 0.5) / 4 + 0.125]
    assert grams.probabilities(np.empty((1, 0), dtype=np.int64))[0] == pytest.approx(unigram)
    after_a = [0.4 / 3 * unigram[0], 1.8 / 3 + 0.4 / 3 * unigram[1], 0.8 / 3 + 0.4 / 3 * unigram[2]]
    after_b = [1.8 / 2 + 0.1 * unigram[0], 0.1 * unigram[1], 0.1 * unigram[2]]
    assert grams.probabilities(np.array([[0], [1], [2]])) == pytest.approx(np.array([after_a, after_b, unigram]))


def test_the_san_francisco_effect() -> None:
    """A token that is frequent, but after one other token only, is unlikely after a new one: what Kneser-Ney is for."""
    francisco, glasses = 1, 2
    stream = [0, francisco] * 20 + [3, glasses, 4, glasses, 5, glasses, 6]
    table = KneserNey(np.array(stream), vocabulary=8, order=2).probabilities(np.array([[7]]))
    assert table[0, glasses] > table[0, francisco]


def test_discounts_by_hand() -> None:
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] + [9])
    y = 8 / 16
    assert discounts(counts) == pytest.approx([1 - 2 * y * 4 / 8, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2])
    assert discounts(np.array([1, 1, 2])) == pytest.approx([0.5] * 3)
    assert discounts(np.array([1, 1, 1])) == pytest.approx([0.5] * 3)


def test_discounts_never_exceed_the_count_or_add_to_it() -> None:
    assert discounts(np.array([1] + [2] + [3] * 50 + [4])).tolist()[1] == 0.0
    assert discounts(np.array([1] * 10 + [2] * 10 + [3] + [4] * 50)).tolist()[2] == 0.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=40), st.integers(1, 4), st.data())
def test_equals_the_direct_version(stream: list[int], order: int, data: st.DataObject) -> None:
    context = tuple(data.draw(st.lists(st.integers(0, 4), max_size=4)))
    grams = KneserNey(np.array(stream), vocabulary=5, order=order)
    ours = grams.probabilities(np.array([context], dtype=np.int64).reshape(1, len(context)))[0]
    expected = [direct(stream, 5, order, context, token) for token in range(5)]
    assert ours == pytest.approx(expected)


def test_probabilities_of_random_contexts_sum_to_one_and_none_is_zero() -> None:
    rng = np.random.default_rng(0)
    stream = rng.zipf(1.3, 20_000) % 200
    grams = KneserNey(stream, vocabulary=256, order=5)
    seen = np.stack([stream[i : i + 4] for i in rng.integers(0, 19_000, 200)])
    for contexts in (seen, rng.integers(0, 256, (200, 4)), rng.integers(0, 256, (5, 9)), seen[:, :2]):
        table = grams.probabilities(contexts)
        assert table.sum(axis=1) == pytest.approx(np.ones(len(table)), abs=1e-12)
        assert table.min() > 0


def test_losses_are_those_of_the_contexts_that_the_stream_has() -> None:
    rng = np.random.default_rng(1)
    train, held_out = rng.integers(0, 30, 3_000), rng.integers(0, 40, 50)
    grams = KneserNey(train, vocabulary=40, order=4)
    nats, correct = grams.losses(held_out)
    for i in (1, 2, 3, 4, 20, 49):
        row = grams.probabilities(held_out[None, :i])[0]
        assert nats[i - 1] == pytest.approx(-math.log(row[held_out[i]]))
        assert correct[i - 1] == (row.argmax() == held_out[i])


def test_batches_do_not_change_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = np.random.default_rng(2).integers(0, 10, 500)
    grams = KneserNey(stream, vocabulary=10, order=3)
    whole = grams.losses(stream)
    monkeypatch.setattr("paperworks.lab.ngram._CELLS", 70)
    assert all((a == b).all() for a, b in zip(whole, grams.losses(stream), strict=True))


def test_a_higher_order_learns_what_a_lower_one_cannot() -> None:
    stream = np.array([0, 1, 2, 0, 3, 4] * 50)  # what follows 0 depends on the token before it
    by_order = [KneserNey(stream, vocabulary=5, order=n).losses(stream)[0].mean() for n in (1, 2, 3)]
    assert by_order[0] > by_order[1] > by_order[2]


def test_wrong_streams_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tokens lie in 0 \.\. 3; the stream has 0 \.\. 7"):
        KneserNey(np.array([0, 7, 1]), vocabulary=4, order=2)
    with pytest.raises(ValueError, match="an order of 5 needs"):
        KneserNey(np.array([0, 1]), vocabulary=4)
    with pytest.raises(ValueError, match="a row of integers"):
        KneserNey(np.array([0.5, 1.0]), vocabulary=4, order=1)


def test_the_direct_version_is_a_distribution() -> None:
    """Guards the guard: the slow version that others are held against sums to one as well."""
    totals: dict[tuple[int, ...], float] = defaultdict(float)
    for context in [(), (0,), (1, 2), (0, 1, 2)]:
        for token in range(4):
            totals[context] += direct([0, 1, 2, 0, 1, 3, 0, 2], 4, 3, context, token)
    assert list(totals.values()) == pytest.approx([1.0] * 4)
