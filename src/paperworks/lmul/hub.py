"""Models and data that people bring: a folder of transformers', or an id of its hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from paperworks.core import UserError
from paperworks.lab.disk import sha256_of

__all__ = ["load", "refusal"]


def load(model: str, dtype: str = "float32", device: str = "cpu") -> tuple[Any, Any, str]:
    """A causal language model ready for evaluation, its tokenizer, and what identifies its weights.

    ``model``: a folder, or a hub id, which is downloaded. ``dtype``: a torch type's name, or ``"auto"`` for the one the
    weights have. Attention is transformers' eager one, whose products can be exchanged.

    Raises UserError where there is no such model, or it cannot be had.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, attn_implementation="eager")
        tokenizer: Any = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise refusal(f"{model!r} is neither a folder nor a hub id of a causal language model", error) from error
    folder = Path(model)
    version = _digest(folder) if folder.is_dir() else f"{model}@{loaded.config._commit_hash}"
    return loaded.to(device).eval(), tokenizer, version


def refusal(what: str, error: Exception) -> UserError:
    """One sentence: what could not be had, and the first line of why."""
    return UserError(f"{what}: {str(error).strip().partition(chr(10))[0]}")


def _digest(folder: Path) -> str:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return hashlib.sha256("".join(f"{file.name} {sha256_of(file)}\n" for file in files).encode()).hexdigest()
