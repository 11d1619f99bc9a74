"""The classifier of strategies, what it learns from, and what it is tested on."""

from __future__ import annotations

import random

import numpy as np
import pytest

from paperworks.tutor_copilot.strategies.classifier import StrategyClassifier, f1_scores, labels_matrix, trained
from paperworks.tutor_copilot.strategies.labelled import labelled_turns
from paperworks.tutor_copilot.strategies.written import LABELS, synthetic_turns


def test_the_test_set_has_ten_messages_of_every_strategy_and_none_of_the_training_sentences() -> None:
    turns = labelled_turns()
    assert labels_matrix([labels for _, labels in turns]).sum(axis=0).min() >= 10
    assert sum(not labels for _, labels in turns) >= 10
    plain = {text.lower().rstrip(".!?") for text, _ in synthetic_turns(5000, random.Random(0))}
    assert not {text.lower().rstrip(".!?") for text, _ in turns} & plain


def test_it_finds_strategies_in_messages_that_it_has_not_seen() -> None:
    turns = labelled_turns()
    right = labels_matrix([labels for _, labels in turns])
    scores = f1_scores(labels_matrix(trained().predict([text for text, _ in turns])), right)
    guessed = f1_scores(np.ones_like(right), right)
    assert scores.mean() > 0.6
    assert (scores > guessed).all()


def test_numbers_do_not_decide() -> None:
    first, second = trained().predict(["The answer is 12.", "The answer is 3/4."])
    assert first == second == {"give_away"}
    assert trained().predict([]) == []


def test_the_same_seed_learns_the_same() -> None:
    texts = [text for text, _ in labelled_turns()]
    turns = synthetic_turns(400, random.Random(1))
    assert StrategyClassifier().fit(turns).predict(texts) == StrategyClassifier().fit(turns).predict(texts)


def test_f1_by_hand() -> None:
    found = np.array([[1, 0], [1, 1], [0, 0]])
    right = np.array([[1, 1], [0, 1], [1, 0]])
    assert f1_scores(found, right).tolist() == pytest.approx([2 / 4, 2 / 3])
    assert f1_scores(np.zeros((2, 1)), np.zeros((2, 1))).tolist() == [0]


def test_unknown_and_absent_strategies_are_refused() -> None:
    with pytest.raises(ValueError, match="'praise' is no strategy; known are retry"):
        labels_matrix([frozenset({"praise"})])
    only = [("Try again", frozenset({"retry"}))] * 3
    with pytest.raises(ValueError, match="no message of the training set has the strategy 'affirm'"):
        StrategyClassifier().fit(only)
    assert set(LABELS) == {"retry", "affirm", "explain", "guide", "give_away", "encourage", "solution"}
