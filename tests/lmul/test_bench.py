"""The bench: what it compares is equal, and its rows say what was asked of them."""

import pytest
import torch

from paperworks import lmul
from paperworks.lab import Lab
from paperworks.lmul import bench as benchmark


def test_the_emulation_computes_what_we_compute():
    a, b = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0))
    a[0, 0] = 0.0
    assert torch.allclose(benchmark.broadcast_emulation(a, b), lmul.matmul(a, b), rtol=1e-5, atol=1e-5)


def test_rows_name_their_case_peer_limit_and_target(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "_CPU_CASES", (("float32", (16, 512)),))
    monkeypatch.setattr(benchmark, "_EMULATED", (16,))
    monkeypatch.setattr(benchmark, "_REPEATS", 6)
    rows = list(benchmark.bench(Lab("lmul", home=tmp_path, cache=tmp_path)))
    assert [row.case for row in rows] == [
        "formula, k = 23, float32, 16 cubed",
        "carry, k = 23, float32, 16 cubed",
        "formula, k = 23, float32, 512 cubed",
        "carry, k = 23, float32, 512 cubed",
        "carry, k = 23, float32, 16 cubed",
    ]
    assert [row.target for row in rows] == [None, 12.0, 2.2, 12.0, 1 / 20]
    assert [row.peer for row in rows] == ["torch GEMM"] * 4 + ["broadcast emulation"]
    assert all(row.limit_s > 0 for row in rows[:4])
    assert rows[2].limit_s == pytest.approx(rows[0].limit_s * 32**3)
    assert rows[4].limit_s is None
