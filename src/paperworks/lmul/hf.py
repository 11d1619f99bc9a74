"""Import this to make L-Mul known to transformers: attention ``"lmul"`` and the quantisation method ``"lmul"``.

>>> import paperworks.lmul.hf
>>> from transformers import AttentionInterface
>>> "lmul" in AttentionInterface()
True

Afterwards ``model.set_attn_implementation("lmul")`` works, and so does
``AutoModelForCausalLM.from_pretrained(folder, quantization_config=LMulConfig(targets="all"))``.
"""

from __future__ import annotations

from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING

from paperworks.lab.attention import register

from .attention import NAME, attention_forward
from .config import LMulConfig
from .quantizer import LMulQuantizer

__all__ = ["LMulConfig", "LMulQuantizer", "attention_forward"]

register(NAME, attention_forward, mask="eager")
# Assigned rather than registered with transformers' decorators, which refuse when a notebook reloads this module.
AUTO_QUANTIZATION_CONFIG_MAPPING[LMulConfig.quant_method] = LMulConfig
AUTO_QUANTIZER_MAPPING[LMulConfig.quant_method] = LMulQuantizer
