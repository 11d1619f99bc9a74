"""The cost model: what it chooses, what it prints, and that it is measured once and survives bad files."""

import json

import pytest
import torch

from paperworks import lmul
from paperworks.lmul import cost
from paperworks.lmul.cost import CostModel, Rates


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERWORKS_CACHE", str(tmp_path))
    for remembered in (cost._model, cost._choice):
        remembered.cache_clear()
    yield tmp_path
    for remembered in (cost._model, cost._choice):
        remembered.cache_clear()


@pytest.fixture
def measurements(monkeypatch):
    """Count measurements, and make each instant."""
    calls = []

    def instant(device, dtype):
        calls.append((device, dtype))
        return {name: Rates(1e-6, 1e-9, 1e-10) for name in ("integer", "table", "fused", "gemm")}

    monkeypatch.setattr(cost, "_measured", instant)
    return calls


def model(**rates):
    return CostModel(device="cpu", dtype="float32", threads=1, rates=rates)


def test_small_products_go_by_the_call_and_large_ones_by_the_rate():
    two = model(fused=Rates(1e-6, 0.0, 4e-11), gemm=Rates(1e-3, 0.0, 1e-11))
    assert two.best(["fused", "gemm"], 16, 16, 16, 23) == "fused"
    assert two.best(["fused", "gemm"], 2048, 2048, 2048, 23) == "gemm"
    assert two.seconds("gemm", 10, 20, 30, 23) == pytest.approx(1e-3 + 2 * 6000 * 1e-11)


def test_the_table_grows_with_its_mantissas():
    one = model(table=Rates(0.0, 1e-9, 1e-11))
    assert one.seconds("table", 8, 8, 8, 3) == pytest.approx(4 * one.seconds("table", 8, 8, 8, 1))


def test_it_is_measured_once_and_kept_in_a_file(own_folder, measurements):
    first = lmul.cost_model()
    assert lmul.cost_model() is first
    cost._model.cache_clear()
    assert lmul.cost_model() == first
    assert measurements == [("cpu", torch.float32)]
    lmul.cost_model(dtype=torch.bfloat16)
    torch.set_num_threads(2)
    lmul.cost_model()
    assert len(measurements) == 3
    (file,) = (own_folder / "lmul").iterdir()
    assert len(json.loads(file.read_text())) == 3


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cpu float32 1": {"integer": {"fixed": 1}}}', '{"cpu float32 1": 3}']
)
def test_a_file_that_is_not_ours_is_measured_again(own_folder, measurements, content):
    file = cost._file()
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert lmul.cost_model().rates["integer"].fixed == 1e-6
    assert len(measurements) == 1


def test_a_folder_that_cannot_be_written_costs_only_the_file(tmp_path, monkeypatch, measurements):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("PAPERWORKS_CACHE", str(blocked))
    cost._model.cache_clear()
    assert lmul.cost_model().rates
    cost._model.cache_clear()


def test_a_real_measurement_prints_and_chooses():
    measured = lmul.cost_model()
    assert set(measured.rates) >= {"integer", "table", "fused", "gemm"}
    assert all(rate >= 0 for rates in measured.rates.values() for rate in (rates.fixed, rates.word, rates.product))
    text = str(measured)
    assert text.startswith("L-Mul backends on cpu, float32, 1 thread(s)")
    assert "carry, k = 23" in text
    a, b = torch.randn(3, 8), torch.randn(8, 4)
    for settings in ({}, {"variant": "formula"}, {"mantissa_bits": 2}):
        auto, plain = lmul.matmul(a, b, **settings), lmul.matmul(a, b, backend="elementwise", **settings)
        assert torch.allclose(auto, plain, rtol=1e-5, atol=1e-6)
