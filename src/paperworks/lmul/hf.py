"""Import this to make L-Mul known to transformers: attention ``"lmul"`` and the quantisation method ``"lmul"``.

>>> import paperworks.lmul.hf
>>> from transformers import AttentionInterface
>>> "lmul" in AttentionInterface()
True

Afterwards ``model.set_attn_implementation("lmul")`` works, and so does
``AutoModelForCausalLM.from_pretrained(folder, quantization_config=LMulConfig(targets="all"))``.
"""

from __future__ import annotations

from paperworks.lab.attention import register

from .attention import attention_forward

__all__ = ["attention_forward"]

register("lmul", attention_forward, mask="eager")
