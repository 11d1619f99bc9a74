"""The bench: its peer is the released rule and draws the right law, and its rows say what was asked of them."""

from __future__ import annotations

import pytest
import torch

from paperworks.lab import Lab
from paperworks.sjd import bench as benchmark
from paperworks.sjd.drafts import Window
from paperworks.sjd.randomness import CounterSource
from paperworks.sjd.scheme import Scheme
from paperworks.sjd.verification import step


def test_the_peer_takes_tokens_by_the_right_law():
    p = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]])
    drafts = torch.Generator().manual_seed(3)
    q = torch.tensor([[[0.2, 0.5, 0.3]]])
    first = []
    for seed in range(6000):
        draft = torch.multinomial(q[0], 1, generator=drafts)
        window = Window(draft, q, torch.tensor([1]))
        taken, after = benchmark.released_rule(window, p, seed=seed)
        assert len(taken) + len(after) == 2
        first.append(taken[0])
    law = torch.tensor(first).bincount(minlength=3) / len(first)
    assert torch.allclose(law, p[0, 0], atol=0.025)


def test_rows_name_their_case_peer_and_target(monkeypatch, tmp_path):
    for name, small in {"WINDOW": 4, "VOCABULARY": 300, "LAYERS": 1, "WIDTH": 32}.items():
        monkeypatch.setattr(benchmark, name, small)
    monkeypatch.setattr(benchmark, "picture_rows", lambda lab: iter(()))
    rows = list(benchmark.bench(Lab("sjd", home=tmp_path, cache=tmp_path)))
    assert [row.peer for row in rows] == [benchmark.LOOP] * 6 + [benchmark.ONE_TOKEN]
    assert [row.target for row in rows] == [1 / 20] * 6 + [None]
    assert rows[0].case == "sampler, 4 drafts, 300 tokens, independent drafts, rejection sampling"


@pytest.mark.parametrize("by_noise", [False, True])
def test_about_as_much_is_accepted_as_in_pictures(by_noise):
    scheme = Scheme(coupling="gumbel" if by_noise else "independent")
    nothing = torch.zeros(1, dtype=torch.long)
    counts = []
    for seed in range(40):
        source = CounterSource(torch.tensor([seed]))
        window, laws = benchmark.window_of_drafts(32, 200, source, by_noise=by_noise)
        counts.append(int(step(window, laws, nothing, scheme, source.at(1))[0].counts))
    assert 2 < sum(counts) / len(counts) < 8
