"""The experiment gives every claim a result, the shapes are the paper's models', and the bench's peers do our work."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import LlamaConfig

from paperworks.core import Measurement, Untested, Verdict, paper, verdict
from paperworks.hlp import FIMCollator, FIMSettings, experiment
from paperworks.hlp import bench as benchmark
from paperworks.lab import Lab


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    lab = Lab("hlp", seeds=3, home=tmp_path_factory.mktemp("steps"))
    return {result.claim: result for result in experiment.run(lab, experiment.PRESETS["smoke"])}


def test_every_claim_that_can_be_judged_has_a_result(found):
    assert set(found) == {claim.id for claim in paper("hlp").claims if claim.judge}
    assert {claim for claim, result in found.items() if isinstance(result, Untested)} == {"H6", "H7", "H8"}


def test_the_head_is_small_beside_the_papers_models(found):
    measured = found["H5"]
    assert isinstance(measured, Measurement)
    assert verdict(paper("hlp").claim("H5"), measured) is Verdict.HOLDS
    billions = {row["model"]: row["parameters"] / 1e9 for row in measured.rows}
    assert billions["DeepSeek-Coder 1.3B"] == pytest.approx(1.35, abs=0.03)
    assert billions["DeepSeek-Coder 6.7B"] == pytest.approx(6.74, abs=0.03)
    assert billions["StarCoder2 3B"] == pytest.approx(3.03, abs=0.2)
    assert billions["StarCoder2 7B"] == pytest.approx(7.17, abs=0.3)
    assert [row["head"] for row in measured.rows] == [2049, 4097, 3073, 4609]


def test_the_peers_lay_out_what_we_lay_out():
    texts = ["x = 1\n" * 20, "é = '漢'\n" * 9]
    tokenizer = benchmark._tokenizer()
    peers = benchmark.Peers(tokenizer, texts)
    first = peers.plain()
    peers._rng = np.random.default_rng(0)
    assert [ids.tolist() for ids in peers.permuted()] == [ids.tolist() for ids in first]
    ours = benchmark.Epochs(FIMCollator(tokenizer, FIMSettings(fim_rate=1.0)), texts)()
    sentinels = [peers._scheme.prefix, peers._scheme.suffix, peers._scheme.middle, peers._scheme.end]
    for ids in (*ours, *first):
        assert [token for token in ids if token in sentinels] == sentinels


def test_the_bench_has_its_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "_texts", lambda: ["x = 1\n" * 20])
    monkeypatch.setattr(benchmark, "_REPEATS", 6)
    small = LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1)
    monkeypatch.setattr(benchmark, "_MODEL", small)
    rows = list(benchmark.bench(Lab("hlp", home=tmp_path, cache=tmp_path)))
    collators = [benchmark.PLAIN, benchmark.PERMUTE]
    assert [row.peer for row in rows] == [*collators, *collators, benchmark.ONCE, benchmark.WITHOUT]
    assert [row.target for row in rows] == [1 / 8, 1 / 8, None, None, None, 1.01]
