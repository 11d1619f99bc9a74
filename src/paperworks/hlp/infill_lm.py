"""The small infilling model of Python that comes with the package: `paperworks.lab.tiny_lm`, taught to fill holes.

It was made by ``python -m paperworks.hlp.train_infill_lm``; its recipe, the log of its training and how it does on
files it has not seen stand beside its weights. It shows what infilling is, and is no help to a programmer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from paperworks.core import UserError
from paperworks.lab import tiny_lm
from paperworks.lab.disk import sha256_of

from .horizon import HLPHead
from .schemes import FIM_SCHEMES
from .trainer import HEAD_FILE

__all__ = ["SCHEME", "SHIPPED", "load", "shipped", "stretches", "with_sentinels"]

SHIPPED = Path(__file__).parent / "weights" / "infill_lm"
SCHEME = "starcoder2"
"""The sentinels that the model's tokenizer has."""


def shipped() -> tuple[Any, Any]:
    """The model with its horizon head, ready for `infill`, and its tokenizer.

    Raises FileNotFoundError or ValueError as `paperworks.lab.tiny_lm.load` does.
    """
    model: Any = tiny_lm.load(SHIPPED).model
    model.hlp_head = HLPHead.load(SHIPPED / HEAD_FILE)
    return model, AutoTokenizer.from_pretrained(SHIPPED, local_files_only=True)


def load(model: str) -> tuple[Any, Any, str]:
    """A model for `infill`, its tokenizer, and what tells its weights from others.

    ``model``: "shipped", a folder of transformers (with the head that `HLPTrainer` saved beside it, if it did), or a
    hub id, which is downloaded. Raises UserError where there is none.
    """
    if model == "shipped":
        return *shipped(), _digest(SHIPPED)
    try:
        with tiny_lm.without_bars():
            loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
        tokenizer: Any = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{model!r} is no folder and no hub id of a causal language model: {first}") from error
    folder = Path(model)
    if (folder / HEAD_FILE).is_file():
        loaded.hlp_head = HLPHead.load(folder / HEAD_FILE)
    version = _digest(folder) if folder.is_dir() else f"{model}@{loaded.config._commit_hash}"
    return loaded.train(False), tokenizer, version


def with_sentinels(folder: Path) -> tuple[Any, Any]:
    """A small language model's transformers model and tokenizers' tokenizer with the sentinels added.

    The rows of the new tokens begin as the mean of the others, so that nothing is drawn.
    """
    lm = tiny_lm.load(folder)
    sentinels = FIM_SCHEMES[SCHEME]
    spelled = [token for token in (sentinels.prefix, sentinels.suffix, sentinels.middle, sentinels.end) if token]
    lm.tokenizer.add_special_tokens(spelled)
    model: Any = lm.model
    known = model.config.vocab_size
    model.resize_token_embeddings(known + len(spelled), mean_resizing=False)
    with torch.no_grad():
        rows = model.get_input_embeddings().weight
        rows[known:] = rows[:known].mean(dim=0)
    return model, lm.tokenizer


def stretches(texts: Iterable[str], length: int) -> Iterator[str]:
    """Every text in runs of whole lines of about ``length`` characters, none longer unless one line is."""
    for text in texts:
        lines = text.splitlines(keepends=True)
        places = [0, *accumulate(map(len, lines))]
        begin = 0
        for end, following in enumerate(places[1:], start=1):
            if following - places[begin] > length and end - 1 > begin:
                yield "".join(lines[begin : end - 1])
                begin = end - 1
        if begin < len(lines):
            yield "".join(lines[begin:])


def _digest(folder: Path) -> str:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return hashlib.sha256("".join(f"{file.name} {sha256_of(file)}\n" for file in files).encode()).hexdigest()
