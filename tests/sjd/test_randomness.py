"""The random source: the right laws, independent streams, and nothing of a row's that depends on its batch."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from paperworks.sjd.mixing import _mixed_by_torch, mixed
from paperworks.sjd.noise import _by_blocks, _keys, winners
from paperworks.sjd.randomness import CounterSource, noise, race

LAW = torch.tensor([0.5, 0.0, 0.3, 0.15, 0.05], dtype=torch.float64)
N = 40_000


def _places(rows=N, columns=1):
    return torch.arange(columns).expand(rows, columns).contiguous(), torch.ones(rows, columns, dtype=torch.bool)


@pytest.mark.parametrize("method", ["categorical", "shared"])
@pytest.mark.parametrize("vary", ["seed", "position"])
def test_tokens_have_their_law(method, vary):
    positions, where = _places() if vary == "seed" else _places(1, N)
    seeds = torch.arange(N) if vary == "seed" else torch.tensor([11])
    drawn = getattr(CounterSource(seeds), method)(LAW.expand(*positions.shape, 5), positions, where)
    counts = drawn.flatten().bincount(minlength=5)
    assert counts[1] == 0
    possible = LAW > 0
    assert stats.chisquare(counts[possible].numpy(), N * LAW[possible].numpy()).pvalue > 1e-4


def test_the_race_is_gumbels_argmax():
    exponential = noise(torch.tensor([1]), torch.arange(500), 5)
    gumbel = -exponential.log()
    assert torch.equal(race(LAW, exponential), (LAW.log() + gumbel).argmax(-1))
    assert stats.kstest(exponential.flatten().numpy(), "expon").pvalue > 1e-4


def test_mixing_gives_the_known_numbers_of_splitmix64_either_way():
    for start, known in [
        (0, 0xE220A8397B1DCDAF),
        (0x9E3779B97F4A7C15 - 2**64, 0x6E789E6AA1B965F4),
        (1234567, 6457827717110365317),
    ]:
        assert mixed(torch.tensor([start])).item() % 2**64 == known
    many = torch.arange(-40_000, 40_000) * 0x1234567
    assert torch.equal(mixed(many), _mixed_by_torch(many))
    assert torch.equal(mixed(many.view(2, -1).T), _mixed_by_torch(many.view(2, -1).T))  # not contiguous


@pytest.mark.parametrize("vocabulary", [5, 2047, 2048, 2100, 4096])
def test_the_winner_is_the_one_of_the_whole_noise(vocabulary):
    generator, rows = torch.Generator().manual_seed(vocabulary), torch.arange(60)
    positions = rows % 7
    whole = noise(rows, positions, vocabulary)
    for sharpness in (0.0, 0.3, 3.0, 30.0):
        for kept in (1.0, 0.01):
            logits = torch.randn(60, vocabulary, generator=generator) * sharpness
            logits[torch.rand(logits.shape, generator=generator) > kept] = -torch.inf
            logits[:, 3] = 0
            for laws in (logits.softmax(-1), logits.double().softmax(-1)):
                assert torch.equal(winners(laws, rows, positions), race(laws, whole))
                if vocabulary >= 2048:  # what a GPU does
                    assert torch.equal(_by_blocks(laws, _keys(rows, positions)), race(laws, whole))


def test_noise_from_the_top_down_is_as_many_independent_exponential_numbers():
    sample = noise(torch.tensor([4]), torch.arange(4000), 2048).double()
    assert stats.kstest(sample[:, :600].flatten().numpy(), "expon").pvalue > 1e-4
    block = sample[:, 5::128]
    assert stats.kstest(block.amin(1).numpy() * 16, "expon").pvalue > 1e-4
    assert stats.chisquare(block.argmin(1).bincount(minlength=16).numpy()).pvalue > 1e-4
    levels = -torch.expm1(-block)  # uniform, so that correlation is not a few large numbers' affair
    correlation = torch.corrcoef(levels.T)[~torch.eye(16, dtype=torch.bool)]
    assert correlation.abs().max() < 5 / 4000**0.5
    others = block.clone().scatter_(1, block.argmin(1, keepdim=True), torch.inf).amin(1) - block.amin(1)
    assert stats.kstest(others.numpy() * 15, "expon").pvalue > 1e-4


def test_shared_noise_keeps_a_token_at_least_as_often_as_theory_says():
    other = torch.tensor([0.4, 0.1, 0.3, 0.1, 0.1], dtype=torch.float64)
    exponential = noise(torch.arange(N), torch.zeros(N, dtype=torch.long), 5)
    same = (race(LAW, exponential) == race(other, exponential)).double().mean().item()
    distance = (LAW - other).abs().sum().item() / 2
    assert (1 - distance) / (1 + distance) - 0.01 < same <= 1 - distance + 0.01


def test_what_a_row_draws_depends_on_nothing_beside_it():
    positions = torch.tensor([[3, 4], [8, 9], [0, 1]])
    where = torch.ones_like(positions) > 0
    laws = LAW.expand(3, 2, 5)
    batch = CounterSource(torch.tensor([5, 6, 7]), turn=4)
    alone = CounterSource(torch.tensor([6]), turn=4)
    for method in ("categorical", "shared"):
        ours = getattr(batch, method)(laws, positions, where)[1:2]
        assert torch.equal(ours, getattr(alone, method)(laws[1:2], positions[1:2], where[1:2]))
    half = torch.full((3, 2), 0.5, dtype=torch.float64)
    ones = torch.ones_like(half)
    assert torch.equal(
        batch.bernoulli(half, ones, positions, where)[1:2],
        alone.bernoulli(half[:1], ones[:1], positions[1:2], where[1:2]),
    )


def test_turns_kinds_and_positions_are_streams_of_their_own():
    positions, _ = _places(1, N)
    levels = [
        CounterSource(torch.tensor([seed]), turn)._uniform(kind, positions)[0].numpy()
        for seed, turn, kind in [(0, 0, 1), (0, 0, 2), (0, 1, 1), (1, 0, 1), (0, 2, 1)]
    ]
    for i, one in enumerate(levels):
        assert stats.kstest(one, "uniform").pvalue > 1e-4
        for other in levels[:i]:
            assert abs(stats.pearsonr(one, other).statistic) < 4.5 / N**0.5
        assert abs(stats.pearsonr(one[1:], one[:-1]).statistic) < 4.5 / N**0.5


def test_chances_are_multiplied_not_divided():
    positions, where = _places(1000)
    source = CounterSource(torch.arange(1000))
    zero, some = torch.zeros(1000, 1).double(), torch.full((1000, 1), 0.3).double()
    assert source.bernoulli(some, zero, positions, where).all()
    assert not source.bernoulli(zero, zero, positions, where).any()
    assert source.bernoulli(some, some, positions, where).all()


def test_a_window_with_nothing_behind_it_has_no_winners():
    """As at the end of a picture, where all drafts were taken: in a large vocabulary as in a small one."""
    nothing = torch.zeros(0, dtype=torch.long)
    for vocabulary in (100, 10_000):
        assert winners(torch.zeros(0, vocabulary), nothing, nothing).shape == (0,)
