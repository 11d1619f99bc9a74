"""The step by hand: known numbers of modified rejection sampling, ragged rows, and what the random source is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from paperworks.sjd import GridSpec
from paperworks.sjd.drafts import Initial, Recent, Window, empty_window, fill
from paperworks.sjd.randomness import CounterSource
from paperworks.sjd.scheme import Scheme
from paperworks.sjd.verification import residual, step

P = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
Q = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
DRAWS = 100_000


def _one_draft(tokens, law):
    """A window with one draft in each of many rows, and the laws P after it."""
    rows = len(tokens)
    window = Window(tokens[:, None], law.expand(rows, 1, 3), torch.ones(rows, dtype=torch.long))
    return window, P.expand(rows, 2, 3)


def _accepted(tokens, law):
    window, laws = _one_draft(tokens, law)
    source = CounterSource(torch.arange(len(tokens)))
    taken, _ = step(window, laws, torch.zeros_like(tokens), Scheme(), source)
    return taken, taken.counts == 2


@pytest.mark.parametrize(("token", "chance"), [(0, 1.0), (1, 0.6), (2, 2 / 3)])
def test_a_draft_is_accepted_with_probability_min_1_p_over_q(token, chance):
    _, accepted = _accepted(torch.full((DRAWS,), token), Q)
    assert accepted.double().mean().item() == pytest.approx(chance, abs=0.005 if chance < 1 else 0)


@pytest.mark.parametrize(
    ("law", "chance"),
    [(Q, 0.7), (torch.tensor([0.0, 1.0, 0.0]).double(), 0.3), (torch.full((3,), 1 / 3).double(), 0.5 + 1 / 3)],
    ids=["q", "one-hot", "uniform"],
)
def test_overall_acceptance_is_one_minus_the_total_variation(law, chance):
    drafts = CounterSource(torch.arange(DRAWS) + DRAWS).categorical(
        law.expand(DRAWS, 1, 3), torch.zeros(DRAWS, 1, dtype=torch.long), torch.ones(DRAWS, 1) > 0
    )
    taken, accepted = _accepted(drafts[:, 0], law)
    assert accepted.double().mean().item() == pytest.approx(chance, abs=0.005)
    law_of_token = taken.tokens[:, 0].bincount(minlength=3) / DRAWS
    assert torch.allclose(law_of_token.double(), P, atol=0.006)


def test_residuals_are_the_worked_ones():
    assert torch.allclose(residual(P, Q), torch.tensor([0.3, 0, 0]).double())
    one_hot = torch.tensor([0.0, 1.0, 0.0]).double()
    assert torch.allclose(residual(P, one_hot), torch.tensor([0.5, 0, 0.2]).double())
    assert torch.equal(residual(P, P), P)  # nothing left: p itself


@dataclass
class Asked:
    """A source that gives fixed answers and notes what it was asked."""

    passes: torch.Tensor
    asked: list = field(default_factory=list)

    def bernoulli(self, above, below, positions, where):
        self.asked.append(("bernoulli", positions.tolist(), where.tolist()))
        return self.passes

    def categorical(self, laws, positions, where):
        self.asked.append(("categorical", positions.tolist(), where.tolist()))
        return torch.full_like(positions, 2)

    def shared(self, laws, positions, where):
        self.asked.append(("shared", positions.tolist(), where.tolist()))
        return torch.full_like(positions, 1)


def test_rows_of_different_lengths_are_verified_each_by_its_own_drafts():
    passes = torch.tensor([[True, False, True], [True, True, True], [True, True, True]])
    tokens = torch.tensor([[0, 1, 2], [2, 1, 0], [1, 1, 1]])
    window = Window(tokens, Q.expand(3, 3, 3).clone(), torch.tensor([3, 2, 0]))
    laws = P.expand(3, 4, 3)
    source = Asked(passes)
    taken, after = step(window, laws, torch.tensor([5, 1, 9]), Scheme(coupling="independent"), source)
    assert taken.counts.tolist() == [2, 3, 1]
    assert [row[:n] for row, n in zip(taken.tokens.tolist(), [2, 3, 1], strict=True)] == [[0, 2], [2, 1, 2], [2]]
    assert after.counts.tolist() == [2, 0, 0]
    assert torch.equal(after.laws[0, :2], P.expand(2, 3))
    assert source.asked[0] == (
        "bernoulli",
        [[5, 6, 7], [1, 2, 3], [9, 10, 11]],
        [[True, True, True], [True, True, False], [False, False, False]],
    )
    assert source.asked[1] == ("categorical", [[6], [3], [9]], [[True], [True], [True]])
    assert source.asked[2][1:] == (
        [[6, 7, 8], [2, 3, 4], [10, 11, 12]],
        [[False, True, True], [False] * 3, [False] * 3],
    )


def test_a_draft_the_model_finds_impossible_is_never_accepted():
    law = torch.tensor([0.0, 1.0]).double()
    window = Window(torch.zeros(50, 1, dtype=torch.long), torch.zeros(50, 1, 2).double(), torch.ones(50).long())
    source = CounterSource(torch.arange(50))
    taken, _ = step(window, law.expand(50, 2, 2), torch.zeros(50).long(), Scheme(), source)
    assert taken.counts.tolist() == [1] * 50
    assert taken.tokens[:, 0].tolist() == [1] * 50


def _filled(init, grid=None, accepted=1, wanted=5, image=(0, 1, 2), taken=(2,), laws=None):
    """First drafts behind ``accepted`` tokens, the newest of which are ``taken``, all drawn from P or each by a law."""
    source = CounterSource(torch.tensor([7]))
    initial = Initial(init, torch.tensor(image), grid)
    recent = Recent.of(P[None], initial.span)
    laws = P.expand(1, len(taken), 3) if laws is None else laws
    start, count = torch.tensor([accepted - len(taken)]), torch.tensor([len(taken)])
    recent.note(start, torch.tensor([taken]), laws, count)
    window = fill(empty_window(P[None]), torch.tensor([wanted]), torch.tensor([accepted]), recent, initial, source)
    return window.tokens[0].tolist(), window.laws[0]


def test_first_drafts_declare_the_law_that_they_were_drawn_from():
    tokens, laws = _filled("uniform", image=(1, 2))
    assert set(tokens) <= {1, 2}
    assert laws.tolist() == [[0, 0.5, 0.5]] * 5
    tokens, laws = _filled("onehot")
    assert laws.argmax(-1).tolist() == tokens
    assert laws.max(-1).values.tolist() == [1.0] * 5
    assert _filled("repeat_h")[0] == [2] * 5
    assert _filled("argmax_h")[0] == [0] * 5
    assert torch.equal(_filled("sample_h")[1], P.expand(5, 3))


def test_a_line_begins_anew_and_forced_tokens_are_certain():
    grid = GridSpec(height=2, width=3, line_end_id=0)  # positions 0 1 2 | end | 4 5 6 | end
    tokens, laws = _filled("repeat_h", grid, accepted=1, wanted=7, image=(1,))
    assert tokens == [2, 2, 0, 1, 1, 1, 0]
    assert laws.argmax(-1).tolist() == tokens
    laws = _filled("sample_h", grid, accepted=1, wanted=7, image=(1, 2))[1]
    uniform, left, end = [0, 0.5, 0.5], P.tolist(), [1, 0, 0]
    assert laws.tolist() == [left, left, end, uniform, uniform, uniform, end]


def test_drafts_from_the_line_above_repeat_its_token_or_its_law_line_after_line():
    grid = GridSpec(height=4, width=2, line_end_id=0, header=1)  # position 0 | 1 2 end | 4 5 end | 7 8 end | ...
    laws = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [1, 0, 0]]).double()
    given = {"grid": grid, "accepted": 4, "wanted": 8, "taken": (1, 2, 0), "laws": laws[None]}
    tokens, declared = _filled("repeat_v", **given)
    assert tokens == [1, 2, 0, 1, 2, 0, 1, 2]
    assert declared.argmax(-1).tolist() == tokens
    assert torch.equal(declared.max(-1).values, torch.ones(8).double())
    assert torch.equal(_filled("sample_v", **given)[1], laws[[0, 1, 2, 0, 1, 2, 0, 1]])


def test_the_first_line_has_nothing_above_and_the_second_follows_it():
    grid = GridSpec(height=3, width=2)
    tokens, laws = _filled("repeat_v", grid, accepted=1, wanted=5, image=(0, 1), taken=(2,))
    assert tokens[1::2] == [2, 2]  # under the token that is known
    assert tokens[0] == tokens[2] == tokens[4] < 2
    laws = _filled("sample_v", grid, accepted=1, wanted=5, image=(0, 1), taken=(2,))[1]
    assert laws[::2].tolist() == [[0.5, 0.5, 0]] * 3
    assert torch.equal(laws[1::2], P.expand(2, 3))


def test_a_draft_that_a_pass_has_predicted_counts_as_the_line_above():
    grid = GridSpec(height=3, width=2)
    initial, source = Initial("sample_v", torch.arange(3), grid), CounterSource(torch.tensor([7]))
    held = Window(torch.tensor([[1, 2]]), torch.stack([Q, P])[None], torch.tensor([2]))
    window = fill(held, torch.tensor([4]), torch.tensor([2]), Recent.of(P[None], 2), initial, source)
    assert torch.equal(window.laws[0], torch.stack([Q, P, Q, P]))


def test_a_window_that_is_too_long_is_cut():
    window = Window(torch.tensor([[1, 2, 0]]), P.expand(1, 3, 3).clone(), torch.tensor([3]))
    initial = Initial("uniform", torch.arange(3))
    source = CounterSource(torch.tensor([7]))
    cut = fill(window, torch.tensor([2]), torch.tensor([4]), Recent.of(P[None], 1), initial, source)
    assert (cut.tokens.tolist(), cut.counts.tolist()) == ([[1, 2]], [2])
