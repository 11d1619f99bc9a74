"""The bench: its peers are the same function, or as large, and its rows say what was asked for."""

from __future__ import annotations

import dataclasses

import torch

from paperworks.lab import Lab
from paperworks.mlp_kan import KANLinear
from paperworks.mlp_kan import bench as benchmark


def test_the_peer_is_the_same_function():
    ours = KANLinear(5, 7).double()
    x = torch.linspace(-1, 0.999, 40, dtype=torch.float64)[:, None].expand(-1, 5)
    assert torch.allclose(benchmark.RecursionLayer(ours).double()(x), ours(x), atol=1e-12)


def test_the_mlp_has_nearly_as_many_parameters():
    count = sum(parameter.numel() for parameter in benchmark._mlp(64, 36_864).parameters())
    assert 36_864 - (2 * 64 + 1) < count <= 36_864


def test_rows_name_their_shape_peer_and_target(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "SHAPES", tuple(dataclasses.replace(s, rows=8, width=4) for s in benchmark.SHAPES))
    rows = list(benchmark.bench(Lab("mlp_kan", home=tmp_path, cache=tmp_path)))
    peers = [benchmark.RECURSION, benchmark.SWITCH, benchmark.MLP]
    assert [row.peer for row in rows] == peers * 2
    assert [row.target for row in rows] == [1 / 8, 1 / 1.3, None, 1 / 4, None, None]
    assert all(row.case == "forward and backward, 8 rows, 4 to 4, 5 cells of order 3" for row in rows)
