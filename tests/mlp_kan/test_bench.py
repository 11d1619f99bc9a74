"""The bench: its peers are the same function, or as large, and its rows say what was asked for."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from paperworks.lab import Lab
from paperworks.mlp_kan import KANLinear, peers, pykan_peer
from paperworks.mlp_kan import bench as benchmark

PACKAGE = """
import torch

class KAN(torch.nn.Module):
    def __init__(self, width, grid, k, seed, auto_save):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(width[1], width[0]))
        self.spare = torch.nn.Parameter(torch.ones(1))

    def speed(self):
        return self

    def forward(self, x):
        return x @ self.weight.T
"""


def test_the_peer_is_the_same_function():
    ours = KANLinear(5, 7).double()
    x = torch.linspace(-1, 0.999, 40, dtype=torch.float64)[:, None].expand(-1, 5)
    assert torch.allclose(benchmark.RecursionLayer(ours).double()(x), ours(x), atol=1e-12)


def test_the_mlp_has_nearly_as_many_parameters():
    count = sum(parameter.numel() for parameter in benchmark._mlp(64, 36_864).parameters())
    assert 36_864 - (2 * 64 + 1) < count <= 36_864


def test_memory_held_is_what_no_parameter_and_no_input_is():
    assert peers.held_bytes(torch.nn.Linear(4, 4), torch.zeros(10, 4)) == 0
    assert peers.held_bytes(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()), torch.zeros(10, 4)) == 160
    ours = KANLinear(4, 4)
    assert peers.held_bytes(ours, torch.zeros(10, 4)) == 0
    assert peers.held_bytes(benchmark.RecursionLayer(ours), torch.zeros(10, 4)) > 10 * 4 * 8 * 4


def test_the_limit_is_as_many_multiplications_in_one_square_product(monkeypatch):
    made = []
    monkeypatch.setattr(peers, "product", lambda left, right: made.append((left.shape, right.shape)))
    (row,) = peers.beside(KANLinear(4, 4), {"itself": KANLinear(4, 4)}, rows=3000)
    assert set(made) == {((109, 109), (109, 109))}  # 109 cubed is about 3 times 3000 rows times 144 parameters
    assert row.limit_s > 0


def test_rows_name_their_shape_peer_and_target(monkeypatch, tmp_path):
    shapes = tuple(dataclasses.replace(s, rows=8, width=4) for s in benchmark.SHAPES[:2])
    monkeypatch.setattr(benchmark, "SHAPES", shapes)
    packages = tmp_path / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "kan.py").write_text(PACKAGE)
    monkeypatch.setattr(Lab, "venv", lambda lab, *requirements: tmp_path)
    rows = list(benchmark.bench(Lab("mlp_kan", home=tmp_path, cache=tmp_path)))
    theirs = [benchmark.RECURSION, benchmark.SWITCH, benchmark.MLP]
    assert [row.peer for row in rows] == [*theirs, *theirs, pykan_peer.PYKAN]
    assert [row.target for row in rows] == [1 / 8, 1 / 1.3, None, 1 / 4, None, None, 1 / 25]
    assert all(row.case.startswith("8 rows, 4 to 4: holds 0 MB, theirs ") for row in rows)


def test_a_peer_that_fails_says_so(monkeypatch, tmp_path):
    (tmp_path / "lib" / "python3" / "site-packages").mkdir(parents=True)
    (tmp_path / "lib" / "python3" / "site-packages" / "kan.py").write_text("raise RuntimeError('no KAN here')")
    monkeypatch.setattr(Lab, "venv", lambda lab, *requirements: tmp_path)
    with pytest.raises(RuntimeError, match="no KAN here"):
        benchmark._beside_pykan(Lab("mlp_kan", home=tmp_path, cache=tmp_path), benchmark.SHAPES[0])
