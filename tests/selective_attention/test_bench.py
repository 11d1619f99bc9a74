"""The bench: its peers compute the same, its rows say what was asked of them, its memory is counted right."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from paperworks import selective_attention as sa
from paperworks.lab import Lab
from paperworks.selective_attention import bench as benchmark


@pytest.mark.parametrize("votes", [True, False])
def test_the_peers_compute_what_we_compute(votes):
    shape = benchmark.Shape(tokens=40, heads=2, width=16, votes=votes)
    query, key, value = (tensor.detach() for tensor in shape.inputs("cpu"))
    ours = sa.selective_attention(query, key, value)
    methods = benchmark._methods((benchmark.BIAS, benchmark.SKETCH, benchmark.FLEX, benchmark.PLAIN))
    outputs = {name: method(query, key, value) for name, method in methods.items()}
    plain = outputs.pop(benchmark.PLAIN)
    assert all(torch.allclose(output, ours, atol=1e-5) for output in outputs.values())
    assert torch.allclose(plain, ours, atol=1e-5) != votes


def test_memory_is_the_most_that_was_held_at_once():
    def call():
        held = torch.zeros(250_000)
        for _ in range(5):
            held = held + torch.ones(250_000)  # three at once: held, the ones, their sum
        return held

    assert benchmark._megabytes("cpu", call) == pytest.approx(3.0, rel=0.01)


def test_rows_name_their_case_peer_memory_limit_and_target(monkeypatch, tmp_path):
    shapes = tuple(replace(shape, tokens=tokens) for shape, tokens in zip(benchmark.CPU_SHAPES, (64, 128), strict=True))
    monkeypatch.setattr(benchmark, "CPU_SHAPES", shapes)
    monkeypatch.setattr(benchmark, "_REPEATS", 6)
    rows = list(benchmark.bench(Lab("selective_attention", home=tmp_path, cache=tmp_path)))
    slow = {benchmark.SKETCH, benchmark.UNFUSED}
    assert [(row.case.partition(":")[0], row.peer) for row in rows if row.peer not in slow] == [
        (f"{what}, {tokens} tokens, 8 heads, float32", peer)
        for tokens in (64, 128)
        for what in ("forward", "forward and backward")
        for peer in (benchmark.PLAIN, benchmark.BIAS)
    ]
    assert [row.peer for row in rows if row.peer in slow] == [benchmark.SKETCH, benchmark.UNFUSED, benchmark.SKETCH]
    assert {row.target for row in rows if row.peer == benchmark.PLAIN} == {1.8, 2.5}
    assert all(row.target is None for row in rows if row.peer != benchmark.PLAIN)
    assert all(row.limit_s == row.peer_s for row in rows if row.peer == benchmark.PLAIN)
    assert all("MB, theirs +" in row.case for row in rows)
