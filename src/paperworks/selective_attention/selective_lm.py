"""A small Llama of Python source with selective attention that comes with the package, for a first look at its votes.

It was made by ``python -m paperworks.selective_attention.train_selective_lm``; its recipe, the log of its training and
its losses are in ``recipe.json`` beside the weights. No claim is measured on it.
"""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from paperworks.lab import tiny_lm
from paperworks.lab.tiny_lm import Recipe, TinyLM

from . import hf  # noqa: F401  (registers the attention that the folder names)

__all__ = ["RECIPE", "SHIPPED", "load", "tokenizer"]

SHIPPED = Path(__file__).parent / "weights" / "selective_lm"
RECIPE = Recipe(
    vocabulary=2048,
    hidden=128,
    intermediate=352,
    layers=4,
    heads=4,
    kv_heads=4,
    context=256,
    tokens=3_000_000,
    batch=8,
    learning_rate=4e-3,
)
"""It is trained as the experiment's models with the memory loss are, but by Muon and on more tokens."""


def load() -> TinyLM:
    """The model, ready for evaluation. Raises ValueError where a file is damaged."""
    return tiny_lm.load(SHIPPED)


def tokenizer() -> PreTrainedTokenizerFast:
    """Its tokenizer, as transformers has it."""
    return AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)  # type: ignore[no-any-return, no-untyped-call]
