"""A classifier of tutors' strategies: words and parts of words, and one logistic regression a strategy."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline

from .written import LABELS, Turn, synthetic_turns

__all__ = ["StrategyClassifier", "f1_scores", "labels_matrix", "trained"]

_NUMBER = re.compile(r"\d+(?:[./,]\d+)*")


class StrategyClassifier:
    """Which of `written.LABELS` a message uses; any number of them, or none.

    It sees the message alone, its numbers as one sign. `trained` is one that has learnt from made-up messages.
    """

    def __init__(self) -> None:
        words = TfidfVectorizer(
            preprocessor=_plain, token_pattern=r"[a-z']+|[#=?!%]", ngram_range=(1, 3), sublinear_tf=True
        )
        parts = TfidfVectorizer(preprocessor=_plain, analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
        regression = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000)
        self._model = make_pipeline(FeatureUnion([("words", words), ("parts", parts)]), OneVsRestClassifier(regression))

    def fit(self, turns: Sequence[Turn]) -> StrategyClassifier:
        """Learn from messages with their strategies. Raises ValueError where a strategy is unknown or never occurs."""
        labels = labels_matrix([labels for _, labels in turns])
        absent = [name for name, column in zip(LABELS, labels.T, strict=True) if not column.any()]
        if absent:
            raise ValueError(f"no message of the training set has the strategy {absent[0]!r}")
        self._model.fit([text for text, _ in turns], labels)
        return self

    def predict(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """The strategies of each message."""
        if not texts:
            return []
        found = self._model.predict(list(texts))
        return [frozenset(np.array(list(LABELS))[row.astype(bool)].tolist()) for row in found]


@cache
def trained(seed: int = 0, size: int = 3000) -> StrategyClassifier:
    """A classifier trained on ``size`` made-up messages."""
    return StrategyClassifier().fit(synthetic_turns(size, random.Random(seed)))


def labels_matrix(labels: Iterable[frozenset[str]]) -> np.ndarray:
    """The labels as 0 and 1 [N, 7]. Raises ValueError for an unknown one."""
    rows = []
    for each in labels:
        unknown = sorted(each - set(LABELS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no strategy; known are {', '.join(LABELS)}")
        rows.append([name in each for name in LABELS])
    return np.array(rows, dtype=np.int64).reshape(-1, len(LABELS))


def f1_scores(found: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The F1 of each column [7]; 0 where a strategy is neither found nor there."""
    both = (found * right).sum(axis=0)
    return 2 * both / np.maximum(found.sum(axis=0) + right.sum(axis=0), 1)


def _plain(text: str) -> str:
    return _NUMBER.sub(" # ", text.lower())
