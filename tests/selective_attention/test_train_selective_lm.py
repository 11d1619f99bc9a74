"""The script that ships the small selective model, on a library of forty files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperworks.lab import corpus, tiny_lm, train_tiny_lm
from paperworks.lab.ngram import KneserNey
from paperworks.selective_attention import train_selective_lm
from paperworks.selective_attention.selective_lm import RECIPE

RECIPE_SMALL = replace(RECIPE, vocabulary=300, hidden=16, intermediate=24, context=12, tokens=12 * 8 * 30)


def clueless(_: KneserNey, stream: tiny_lm.Tokens) -> tuple[np.ndarray, np.ndarray]:
    """In place of the 5-gram's losses: every token of the vocabulary is as likely as any other."""
    return np.full(len(stream) - 1, np.log(RECIPE_SMALL.vocabulary)), np.zeros(len(stream) - 1, dtype=np.bool_)


def test_the_script_ships_a_model_with_selective_attention_and_its_memory_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "library"
    (root / "json").mkdir(parents=True)
    for number in range(40):
        lines = "\n".join(f"    total_{k} = {k} + value" for k in range(30))
        (root / "json" / f"part_{number}.py").write_text(f"def part_{number}(value):\n{lines}\n    return total_1\n")
    library = corpus.standard_library(root)
    monkeypatch.setattr(train_tiny_lm, "standard_library", lambda: library)
    monkeypatch.setattr(KneserNey, "losses", clueless)
    monkeypatch.setattr(train_selective_lm, "RECIPE", RECIPE_SMALL)
    out = tmp_path / "selective_lm"
    train_selective_lm.main(["--work", str(tmp_path / "work"), "--out", str(out), "--threads", "1"])
    lm = tiny_lm.load(out)
    assert lm.recipe == RECIPE_SMALL
    assert lm.model.config._attn_implementation == "selective"
    assert lm.model.config.selective_attention["mem_loss_eps"] == 0.1
