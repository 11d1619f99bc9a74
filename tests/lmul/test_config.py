"""LMulConfig: choices, being frozen, JSON, patterns, and life without transformers."""

import copy
import importlib
import inspect
import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
import torch
from transformers.quantizers.auto import AutoQuantizationConfig
from transformers.utils.quantization_config import QuantizationConfigMixin

import paperworks.lmul.hf
from paperworks import lmul
from paperworks.lmul import LMulConfig
from paperworks.lmul.config import ARITHMETIC


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "mitchell"}, "unknown variant 'mitchell': choose 'carry', 'formula'"),
        ({"rounding": "up"}, "unknown rounding 'up': choose 'truncate', 'nearest', 'stochastic'"),
        ({"targets": "mlp"}, "unknown targets 'mlp': choose 'attention', 'linear', 'all'"),
        ({"grad": "none"}, "unknown grad 'none': choose 'ste', 'lmul', 'exact'"),
        ({"accumulate": "int8"}, "unknown accumulate 'int8': choose 'fp32', 'bf16', 'fp8_e4m3'"),
        ({"products": ("qv",)}, "unknown products 'qv': choose 'qk', 'pv'"),
        ({"exponent_bits": 8}, "unknown exponent_bits 8: choose None, 4, 5"),
        ({"scale": "column", "exponent_bits": 4}, "unknown scale 'column'"),
        ({"scale": "row"}, "give exponent_bits=4 or 5 with it"),
        ({"offset": 1.0}, "offset must be 'paper' or a number from 0 up to 1, not 1.0"),
        ({"offset": "best"}, "offset must be 'paper'"),
        ({"mantissa_bits": 0}, r"must lie in 1..52 .*, not 0"),
        ({"mantissa_bits": 53}, r"must lie in 1..52 .*, not 53"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_choices(settings, message):
    with pytest.raises(ValueError, match=message):
        LMulConfig(**settings)


@pytest.mark.parametrize(
    "settings", [{"mantissa_bits": 4.0}, {"mantissa_bits": True}, {"skip": "lm_head"}, {"skip": [1]}]
)
def test_wrong_types_are_told(settings):
    with pytest.raises(TypeError):
        LMulConfig(**settings)


def test_frozen_hashable_and_copied_like_a_value():
    config = LMulConfig(mantissa_bits=3, skip=["a", "b"])
    with pytest.raises(FrozenInstanceError, match="frozen: use replace"):
        config.mantissa_bits = 4
    with pytest.raises(FrozenInstanceError):
        config.update(variant="formula")
    assert config.skip == ("a", "b")
    assert hash(config) == hash(copy.deepcopy(config))
    assert config == copy.deepcopy(config) == pickle.loads(pickle.dumps(config))
    assert config.replace(variant="formula") == LMulConfig(mantissa_bits=3, variant="formula", skip=("a", "b"))
    with pytest.raises(ValueError, match="unknown variant"):
        config.replace(variant="other")


def test_json_round_trip_directly_and_by_transformers():
    config = LMulConfig(mantissa_bits=None, targets="all", offset=0.055, skip=("lm_head", "layers.0"), products=("pv",))
    stored = json.loads(json.dumps(config.to_dict()))
    assert stored["quant_method"] == "lmul"
    assert stored == json.loads(config.to_json_string()) == dict(config)
    assert LMulConfig.from_dict(stored) == config
    assert AutoQuantizationConfig.from_dict(stored) == config
    changed, rest = LMulConfig.from_dict(stored, return_unused_kwargs=True, grad="lmul", other=1)
    assert changed == config.replace(grad="lmul")
    assert rest == {"other": 1}


def test_stored_settings_of_others_are_refused():
    with pytest.raises(ValueError, match=r"unknown L-Mul settings bits: choose from .*mantissa_bits"):
        LMulConfig.from_dict({"bits": 4})
    with pytest.raises(ValueError, match="settings of 'gptq', not of 'lmul'"):
        LMulConfig.from_dict({"quant_method": "gptq"})


def test_it_is_what_transformers_asks_for():
    assert issubclass(LMulConfig, QuantizationConfigMixin)
    assert paperworks.lmul.hf.LMulConfig is lmul.LMulConfig


@pytest.mark.parametrize(
    ("pattern", "name", "skipped"),
    [
        ("lm_head", "lm_head", True),
        ("lm_head", "model.lm_head", True),
        ("lm_head", "model.lm_head.inner", True),
        ("lm_head", "model.my_lm_head", False),
        ("layers.1", "model.layers.1.mlp.up_proj", True),
        ("layers.1", "model.layers.10.mlp.up_proj", False),
        ("layers.*.mlp", "model.layers.3.mlp.up_proj", True),
        ("layers.[01]", "model.layers.1.self_attn", True),
        ("layers.[01]", "model.layers.2.self_attn", False),
        ("*_proj", "model.layers.2.self_attn.q_proj", True),
        ("", "model", False),
    ],
)
def test_skip_patterns_match_whole_components(pattern, name, skipped):
    assert LMulConfig(skip=(pattern,)).covers(name) is not skipped


def test_every_setting_of_the_arithmetic_is_one_of_matmul_and_does_the_same():
    a, b = torch.randn(3, 8), torch.randn(8, 5)
    config = LMulConfig(mantissa_bits=3, variant="formula", offset=0.05)
    assert set(config.arithmetic) == set(ARITHMETIC)
    assert torch.equal(
        lmul.matmul(a, b, **config.arithmetic), lmul.matmul(a, b, mantissa_bits=3, variant="formula", offset=0.05)
    )


WITHOUT_TRANSFORMERS = """
import sys
sys.modules["transformers"] = None
import torch
from paperworks import lmul
config = lmul.LMulConfig(targets="linear")
model = torch.nn.Sequential(torch.nn.Linear(4, 4))
x = torch.randn(2, 4)
before = model(x)
with lmul.simulate(model, config):
    assert not torch.equal(model(x), before)
assert torch.equal(model(x), before)
print(config.to_dict()["quant_method"], lmul.mul(1.5, 1.5))
"""


def test_settings_and_linear_layers_work_without_transformers():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TRANSFORMERS], capture_output=True, text=True, check=False)
    assert done.stdout == "lmul 2.125\n", done.stderr


def test_the_public_functions_are_not_their_modules():
    """Files named like their function must not take the function's place when they are imported first."""
    for name in ("convert", "matmul", "sensitivity"):
        importlib.import_module(f"paperworks.lmul.{name}")
        assert inspect.isfunction(getattr(lmul, name))
