"""The energy calculator: the paper's derivations, counts from shapes, and the words that must stand beside them."""

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

from paperworks import lmul
from paperworks.lmul.energy import saving

LLAMA_8B = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}


@pytest.fixture(scope="module")
def llama():
    return lmul.energy(LlamaConfig(**LLAMA_8B), 2048)


def test_savings_of_one_product():
    shares = [saving(name, kind) for name in ("fp32", "fp16") for kind in ("elementwise", "dot")]
    assert shares == pytest.approx([0.973, 0.7826, 0.9545, 0.70], abs=5e-4)


def test_llama_3_1_8b_from_its_config(llama):
    """Against the published shapes: 7,504,658,432 weights multiply each token (all but the embedding and the norms)."""
    parts = {count.part: count.multiplications for count in llama.counts}
    assert parts["q_proj"] == 32 * 4096 * 4096 * 2048
    assert parts["k_proj"] == parts["v_proj"] == 32 * 4096 * 1024 * 2048
    assert parts["lm_head"] == 4096 * 128256 * 2048
    assert parts["attention scores q·k"] == parts["attention mixture p·v"] == 32 * 32 * 128 * 2048**2
    linear = sum(n for part, n in parts.items() if "attention" not in part)
    assert linear == 7_504_658_432 * 2048
    assert llama.weights == 8_030_261_248
    assert llama.not_counted == ()


def test_a_model_of_dot_products_saves_what_a_dot_product_saves(llama):
    assert llama.saving("fp32") == pytest.approx(saving("fp32", "dot"))
    assert llama.saving("fp16") == pytest.approx(0.70)
    before = llama.joules("fp32", lmul=False)
    assert before == pytest.approx(llama.multiplications * 4.6e-12)


def test_the_report_shows_every_derivation_and_says_what_it_is_not(llama):
    text = str(llama)
    for derivation in (
        "1 - 0.1/3.7 = 97.3%",
        "1 - 0.05/1.1 = 95.5%",
        "1 - (0.1 + 0.9)/(3.7 + 0.9) = 78.3%",
        "1 - (0.05 + 0.4)/(1.1 + 0.4) = 70.0%",
    ):
        assert derivation in text
    for words in ("arithmetic", "1.3 to 2.6 nJ", "a real chip saves far less", "saves nothing", "interpolated"):
        assert words in text
    assert "One forward pass over 2,048 tokens" in text
    assert max(map(len, text.splitlines())) <= 120


def test_reading_the_weights_dwarfs_one_token_of_arithmetic():
    report = lmul.energy(LlamaConfig(**LLAMA_8B), 1)
    low, high = report.dram_joules
    assert (low, high) == pytest.approx((8_030_261_248 / 4 * 1.3e-9, 8_030_261_248 / 4 * 2.6e-9))
    assert low > 100 * report.joules("fp16", lmul=False)
    assert "the fp16 saving is 0." in str(report)


def test_a_model_on_the_meta_device_equals_one_with_weights():
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    assert lmul.energy(empty, 7) == lmul.energy(AutoModelForCausalLM.from_config(config), 7) == lmul.energy(config, 7)


def test_gpt2_counts_its_conv1d():
    report = lmul.energy(GPT2Config(vocab_size=11, n_embd=8, n_layer=3, n_head=2, n_positions=16), 5)
    parts = {count.part: count.multiplications for count in report.counts}
    assert parts["c_attn"] == 3 * 5 * 8 * 24
    assert parts["c_fc"] == 3 * 5 * 8 * 32
    assert parts["c_proj"] == 3 * 5 * (8 * 8 + 32 * 8)
    assert parts["attention scores q·k"] == 3 * 8 * 25


def test_models_of_plain_torch():
    report = lmul.energy(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), 10)
    assert report.multiplications == 10 * (12 + 6)
    assert report.not_counted == ("attention (the model has no config that tells)",)
    attention = lmul.energy(nn.MultiheadAttention(8, 2), 6)
    assert attention.multiplications == 6 * 4 * 64 + 2 * 8 * 36
    assert attention.not_counted == ()
    convolution = lmul.energy(nn.Sequential(nn.Conv2d(3, 4, 2), nn.Linear(4, 4)), 1)
    assert any("Conv2d" in what for what in convolution.not_counted)


def test_counts_of_ones_own():
    report = lmul.energy({"scores": 1000, "gate": (500, 0)})
    assert (report.multiplications, report.accumulations) == (1500, 1000)
    assert report.joules("fp32", lmul=True) == pytest.approx((1500 * 0.1 + 1000 * 0.9) * 1e-12)
    assert "Given operations" in str(report)
    assert "DRAM (16 bits)" not in str(report)
    assert [row["share"] for row in report.records()] == pytest.approx([2 / 3, 1 / 3])
    assert lmul.energy({"gate": (1, 0)}).saving("fp32") == pytest.approx(0.973, abs=1e-3)


def test_a_table_of_ones_own():
    mine = {"fp32 mul": 2.0, "fp32 add": 1.0, "fp16 mul": 2.0, "fp16 add": 1.0, "int32 add": 1.0, "int16 add": 1.0}
    assert lmul.energy({"x": 10}, table=mine).saving("fp32") == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="lacks int32 add"):
        lmul.energy({"x": 10}, table={k: v for k, v in mine.items() if k != "int32 add"})


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (({"x": 1}, None, "tsmc"), ValueError, "table must be one of 'horowitz2014'"),
        (({"x": -1},), ValueError, "must not be negative"),
        (({},), ValueError, "no multiplication to count"),
        ((nn.ReLU(), 5), ValueError, "no multiplication to count"),
        ((nn.Linear(2, 2), 0), ValueError, "seq_len must be at least 1"),
        ((nn.Linear(2, 2),), ValueError, "seq_len must be at least 1"),
        (("llama", 5), TypeError, "not str"),
    ],
)
def test_bad_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        lmul.energy(*arguments)
    with pytest.raises(ValueError, match="kind must be"):
        saving("fp32", "sum")
    with pytest.raises(ValueError, match="number_format must be"):
        saving("fp8", "dot")
