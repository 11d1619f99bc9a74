"""Measures what takes no training: the parameters that the head adds, and what rules do for the shipped model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Starcoder2Config

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from .horizon import HLPHead
from .infill_effects import rule_dependence

__all__ = ["PRESETS", "Sizes", "run"]

_NOT_YET = "needs models trained with and without the horizon loss on the same data, which this version does not do yet"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does: ``holes`` of each kind are filled. Nothing is drawn, so seeds change nothing."""

    seeds: int
    holes: int


PRESETS = {
    "smoke": Sizes(seeds=3, holes=3),
    "quick": Sizes(seeds=3, holes=24),
    "full": Sizes(seeds=5, holes=100),
}

MODELS: Mapping[str, Any] = {
    "DeepSeek-Coder 1.3B": LlamaConfig(
        hidden_size=2048, intermediate_size=5504, num_hidden_layers=24, num_attention_heads=16, vocab_size=32256
    ),
    "DeepSeek-Coder 6.7B": LlamaConfig(
        hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32, vocab_size=32256
    ),
    "StarCoder2 3B": Starcoder2Config(
        hidden_size=3072,
        intermediate_size=12288,
        num_hidden_layers=30,
        num_attention_heads=24,
        num_key_value_heads=2,
        vocab_size=49152,
    ),
    "StarCoder2 7B": Starcoder2Config(
        hidden_size=4608,
        intermediate_size=18432,
        num_hidden_layers=32,
        num_attention_heads=36,
        num_key_value_heads=4,
        vocab_size=49152,
    ),
}
"""The paper's base models. Their shapes are from memory, not read from the hub; a test holds the sums to the names."""


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim, as soon as it is known."""
    yield _parameters()
    yield rule_dependence(lab, sizes.holes)
    for claim in ("H7", "H8"):
        yield Untested(claim=claim, reason=_NOT_YET)


def _parameters() -> Measurement:
    rows = tuple(_shares(name, config) for name, config in MODELS.items())
    return Measurement(
        claim="H5",
        **stats.exact(max(float(row["share, %"]) for row in rows)).as_fields(),
        scale="same",
        setting="the four models' shapes, as remembered and not read from the hub, without weights; counted",
        unit="%",
        rows=rows,
    )


def _shares(name: str, config: Any) -> dict[str, Any]:
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
        head = HLPHead(config.hidden_size)
    whole, added = (sum(p.numel() for p in module.parameters()) for module in (model, head))
    return {"model": name, "parameters": float(whole), "head": float(added), "share, %": 100 * added / whole}
