"""Interpolated Kneser-Ney n-grams: the baseline that a language model has to beat on the same tokens.

>>> import numpy as np
>>> from paperworks.lab.ngram import KneserNey
>>> grams = KneserNey(np.array([0, 1, 2, 0, 1, 3, 0, 1, 2], dtype=np.int32), vocabulary=4, order=3)
>>> int(grams.probabilities(np.array([[0, 1]])).argmax())
2

The estimate is Chen and Goodman's (1999) modified form. The highest order counts how often an n-gram occurs; a lower
one counts by how many different tokens it is preceded. From each count c a discount D(c) is taken, one each for
c = 1, 2 and 3 or more, estimated for every order from how many n-grams have the counts 1 to 4; what it leaves goes to
the next lower order, below the unigram to the uniform distribution:

    p(w | u v) = max(c(u v w) - D, 0) / c(u v .) + gamma(u v) p(w | v)

An n-gram of order k is known by one integer, (number of its first k - 1 tokens among those of order k - 1) * V + its
last token, so that all tables are sorted arrays and any order and vocabulary fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]

UNSEEN = -1
_CELLS = 1 << 22
"""How many probabilities are held at a time: 32 MB."""


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one order, sorted by context, then token.

    keys, tokens, shares: [n-grams]; starts: [contexts + 1]; gammas: [contexts]. ``shares`` is the first term of the
    estimate, ``gammas`` the weight of the lower order.
    """

    keys: Ints
    tokens: Ints
    shares: Floats
    starts: Ints
    gammas: Floats


class KneserNey:
    """Interpolated modified Kneser-Ney of ``order`` over a stream of tokens.

    ``stream`` is [N] integers in 0 .. ``vocabulary`` - 1, taken as one sequence. Raises ValueError for tokens outside
    the vocabulary, an order below 1 and a stream shorter than the order. Memory is about 60 bytes a token and order.
    """

    def __init__(self, stream: np.ndarray[Any, Any], vocabulary: int, order: int = 5) -> None:
        tokens = _checked(stream, vocabulary)
        if order < 1 or len(tokens) < max(order, 1):
            raise ValueError(f"an order of {order} needs to be at least 1, and a stream of at least as many tokens")
        self.vocabulary = vocabulary
        self.order = order
        keys, counts = _count(tokens, vocabulary, order)
        self.discounts = tuple(discounts(c) for c in counts)
        self._orders = [
            _estimate(k, c, d, vocabulary, contexts)
            for k, c, d, contexts in zip(keys, counts, self.discounts, [1, *map(len, keys)], strict=False)
        ]

    def probabilities(self, contexts: np.ndarray[Any, Any]) -> Table:
        """[B, L] contexts, the nearest token last -> [B, V] probabilities of the next token. L may be 0."""
        if contexts.ndim != 2:
            raise ValueError(f"contexts have the shape [B, L], not {contexts.shape}")
        rows, length = contexts.shape
        followed = np.zeros((rows, length + 1), dtype=np.int64)  # the last column holds the place of the next token
        followed[:, :length] = contexts
        numbers = self._numbers(_checked(followed.reshape(-1), self.vocabulary), row=length + 1)
        return self._distributions(numbers[:, length :: length + 1])

    def losses(self, stream: np.ndarray[Any, Any]) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """The loss of each token but the first in nats, and whether it was the likeliest one: [N - 1] twice."""
        tokens = _checked(stream, self.vocabulary)
        numbers = self._numbers(tokens, row=len(tokens))
        targets = tokens[1:]
        nats = np.empty(len(targets), dtype=np.float64)
        correct = np.empty(len(targets), dtype=np.bool_)
        rows = max(1, _CELLS // self.vocabulary)
        for first in range(0, len(targets), rows):
            part = slice(first, first + rows)
            table = self._distributions(numbers[:, 1:][:, part])
            nats[part] = -np.log(table[np.arange(len(table)), targets[part]])
            correct[part] = table.argmax(axis=1) == targets[part]
        return nats, correct

    def _numbers(self, tokens: Ints, row: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """[order, N]: the number, by its length, of the context before each token; `UNSEEN` where there is none.

        No context reaches across the start of a row of ``row`` tokens.
        """
        place = np.arange(len(tokens)) % row
        numbers = np.full((self.order, len(tokens)), UNSEEN, dtype=np.int64)
        numbers[0] = 0
        before = np.zeros(
            len(tokens), dtype=np.int64
        )  # the number of the (length - 1)-gram that ends before each token
        for length in range(1, self.order):
            keys = np.where(before == UNSEEN, UNSEEN, before * self.vocabulary + tokens)
            before = np.concatenate([[UNSEEN], _find(self._orders[length - 1].keys, keys)[:-1]])
            numbers[length] = np.where(place < length, UNSEEN, before)
        return numbers

    def _distributions(self, numbers: np.ndarray[Any, Any]) -> Table:
        """[order, B] numbers of contexts -> [B, V]."""
        table = np.full((numbers.shape[1], self.vocabulary), 1.0 / self.vocabulary)
        for order, contexts in zip(self._orders, numbers, strict=True):
            rows = np.flatnonzero(contexts != UNSEEN)
            seen = contexts[rows]
            table[rows] *= order.gammas[seen, None]
            lengths = order.starts[seen + 1] - order.starts[seen]
            offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            places = np.repeat(order.starts[seen], lengths) + offsets
            table[np.repeat(rows, lengths), order.tokens[places]] += order.shares[places]
        return table


def discounts(counts: Ints) -> Floats:
    """[3]: what is taken from the counts 1, 2 and 3 or more, from how many n-grams have the counts 1 to 4.

    Where one of these is missing, as it is with very little text, one discount n1 / (n1 + 2 n2) serves for all counts,
    and 1/2 where n1 or n2 is missing itself.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == c)) for c in (1, 2, 3, 4))
    single = n1 / (n1 + 2 * n2) if n1 and n2 else 0.5
    if not (n1 and n2 and n3 and n4):
        return np.full(3, single)
    estimates = [single, 2 - 3 * single * n3 / n2, 3 - 4 * single * n4 / n3]
    return np.clip(estimates, 0.0, [1.0, 2.0, 3.0])


def _count(tokens: Ints, vocabulary: int, order: int) -> tuple[list[Ints], list[Ints]]:
    """The sorted keys of each order from 1 up, and their counts: occurrences at the top, different tokens before below.

    Before the stream's first token stands one more token, unlike all others; else its n-gram could have the count 0.
    """
    keys: list[Ints] = []
    counts: list[Ints] = []
    begins = np.zeros(len(tokens) + 1, dtype=np.int64)  # the number of the n-gram that begins at each token
    for length in range(1, order + 1):
        found, first, inverse, occurrences = np.unique(
            begins[:-1] * vocabulary + tokens[length - 1 :], return_index=True, return_inverse=True, return_counts=True
        )
        if length > 1:
            counts[-1] = np.bincount(begins[first + 1], minlength=len(keys[-1]))
            counts[-1][begins[0]] += 1
        begins = inverse.reshape(-1)
        keys.append(found)
        counts.append(occurrences)
    return keys, counts


def _estimate(keys: Ints, counts: Ints, discount: Floats, vocabulary: int, contexts: int) -> _Order:
    context, token = np.divmod(keys, vocabulary)
    taken = discount[np.minimum(counts, 3) - 1]
    totals = np.bincount(context, weights=counts, minlength=contexts)
    left = np.bincount(context, weights=taken, minlength=contexts)
    return _Order(
        keys=keys,
        tokens=token,
        shares=(counts - taken) / totals[context],
        starts=np.searchsorted(context, np.arange(contexts + 1)),
        gammas=np.divide(left, totals, out=np.ones(contexts), where=totals > 0),
    )


def _find(keys: Ints, wanted: Ints) -> Ints:
    """The place of each wanted key in the sorted ones; `UNSEEN` where it is not among them."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, UNSEEN)


def _checked(stream: np.ndarray[Any, Any], vocabulary: int) -> Ints:
    tokens = np.asarray(stream)
    if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(f"a stream is a row of integers [N], not {tokens.dtype} of shape {tokens.shape}")
    if len(tokens) and (tokens.min() < 0 or tokens.max() >= vocabulary):
        raise ValueError(f"tokens lie in 0 .. {vocabulary - 1}; the stream has {tokens.min()} .. {tokens.max()}")
    return tokens.astype(np.int64)
