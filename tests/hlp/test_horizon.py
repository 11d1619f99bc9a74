"""The horizon loss has the values and gradients of a calculation by hand."""

from __future__ import annotations

import pytest
import torch

from paperworks.hlp import HLPConfig, HLPHead, hlp_loss, horizon_stats
from paperworks.hlp.reference import horizon_loss
from paperworks.hlp.transform import horizon_targets


@pytest.mark.parametrize(("middle", "loss"), [(1, 0.5), (3, (1 / 6 + 1 / 6 + 1 / 2) / 3), (4, 0.25)])
def test_a_head_that_knows_nothing(middle, loss):
    """A new head says 0.5: for an even number of tokens it is wrong by a quarter."""
    targets = torch.tensor([-1.0, *horizon_targets(middle).tolist(), -1.0])
    hidden = torch.randn(len(targets), 5)
    assert hlp_loss(hidden, HLPHead(5), targets).item() == pytest.approx(loss)
    assert horizon_loss([0.5] * len(targets), targets.tolist()) == pytest.approx(loss)
    assert horizon_stats(torch.full_like(targets, 0.5), targets).skill == pytest.approx(0, abs=1e-6)


def test_the_gradient_of_a_new_head_is_that_by_hand():
    torch.manual_seed(0)
    hidden = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([3 / 4, 1 / 2 + 1 / 8, 1 / 4, 0], dtype=torch.float64)
    head = HLPHead(3).double()
    hlp_loss(hidden, head, targets).backward()
    expected = -((targets - 0.5).sign() * 0.25) @ hidden.detach() / 4
    torch.testing.assert_close(head.weight.grad, expected)
    assert not hidden.grad.any()


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(1)
    head = HLPHead(3).double()
    targets = torch.tensor([[-1, 0.66, 0.33, 0, -1], [-1, -1, 0.5, 0, -1]], dtype=torch.float64)
    hidden = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def loss(hidden, weight):
        return hlp_loss(hidden, lambda states: torch.sigmoid(states @ weight + head.bias), targets)

    assert torch.autograd.gradcheck(loss, (hidden, weight))


def test_only_the_middle_counts_and_the_normalizer_divides():
    targets = torch.tensor([-1.0, 0.5, 0.0, -1.0])
    hidden = torch.randn(4, 2)
    head = HLPHead(2)
    assert hlp_loss(hidden, head, targets, normalizer=10).item() == pytest.approx(0.05)
    outside = hidden.clone()
    outside[[0, 3]] = 1e9
    assert hlp_loss(outside, head, targets) == hlp_loss(hidden, head, targets)
    assert hlp_loss(hidden, head, torch.full((4,), -1.0)).item() == 0


def test_statistics_by_hand():
    stats = horizon_stats(torch.tensor([0.9, 0.4, 0.1]), torch.tensor([-1.0, 0.5, 0.0]))
    assert stats.middle == 2
    assert stats.mae == pytest.approx(0.1)
    assert stats.constant_mae == pytest.approx(0.25)
    assert stats.skill == pytest.approx(0.6)


def test_a_head_is_saved_and_loaded(tmp_path):
    head = HLPHead(3)
    torch.nn.init.normal_(head.weight)
    head.save(tmp_path / "head.safetensors")
    loaded = HLPHead.load(tmp_path / "head.safetensors")
    assert torch.equal(loaded.weight, head.weight)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="one target a token"):
        hlp_loss(torch.zeros(2, 3), HLPHead(3), torch.zeros(3))
    with pytest.raises(ValueError, match="reward wrong horizons"):
        HLPConfig(weight=-1)
    with pytest.raises(ValueError, match="every target is -1"):
        horizon_stats(torch.zeros(1), torch.tensor([-1.0]))
