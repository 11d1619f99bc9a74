"""Text at our scale: transformers' BERT tells lines of documentation from lines of code, of Python's own library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import chain, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

from paperworks.lab import corpus, timing, tiny_lm

from . import feed_forward
from .feed_forward import Shape

__all__ = ["HELD_OUT", "TRAIN", "correct_answers"]

TRAIN, HELD_OUT = 4000, 1000
"""Lines, half of them documentation: those held out are of files that no line to train on is from."""

_TOKENS = 32  # of a line; what follows is cut off
_SHORTEST = 16  # characters: shorter lines are quotes and brackets
_A_FILE = 100  # lines of either kind at most, so that no file counts for many
_FILLING = 0


def correct_answers(
    *, seed: int, kind: str, experts: int, top_k: int, shape: Shape, steps: int, threads: int, device: str = "cpu"
) -> NDArray[np.float32]:
    """Which of the held-out lines a network tells right after ``steps`` batches, 0 or 1: [HELD_OUT].

    ``kind``, ``experts`` and ``top_k`` are those of `feed_forward.put_in`.
    """
    (train, labels), (held_out, answers) = (_on(part, device) for part in _lines())
    with timing.threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _bert(shape)
        feed_forward.put_in(model, kind, experts, top_k, shape)
        feed_forward.train(model.to(device), train, labels, steps=steps, seed=seed)  # type: ignore[arg-type]
        with torch.no_grad():
            found = model.eval()(**held_out).logits.argmax(dim=-1)
    return (found == answers).float().cpu().numpy()


def _bert(shape: Shape) -> BertForSequenceClassification:
    config = BertConfig(
        vocab_size=tiny_lm.load_tokenizer(tiny_lm.SHIPPED / "tokenizer.json").get_vocab_size(),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.width,
        max_position_embeddings=_TOKENS,
        pad_token_id=_FILLING,
        initializer_range=0.1,
    )
    return BertForSequenceClassification(config)


Part = tuple[dict[str, Tensor], Tensor]
"""A model's inputs by name, each [N, tokens], and labels [N]: 1 is documentation."""


def _on(part: Part, device: str) -> Part:
    inputs, labels = part
    return {name: values.to(device) for name, values in inputs.items()}, labels.to(device)


@cache
def _lines() -> tuple[Part, Part]:
    """For training, and held out."""
    library = corpus.standard_library()
    return _part(library, "train", TRAIN), _part(library, "test", HELD_OUT)


def _part(library: corpus.Corpus, split: corpus.Split, count: int) -> Part:
    """The first lines of each kind, of files in an order that follows from their content."""
    files = sorted(library.split(split), key=lambda file: file.sha256)
    found = [_of_file(library.text(file)) for file in files[:count]]
    kinds = [[*islice(chain.from_iterable(pair[kind] for pair in found), count // 2)] for kind in (0, 1)]
    tokenizer = tiny_lm.load_tokenizer(tiny_lm.SHIPPED / "tokenizer.json")
    rows = [encoding.ids[:_TOKENS] for encoding in tokenizer.encode_batch([*kinds[0], *kinds[1]])]
    ids = torch.full((len(rows), _TOKENS), _FILLING)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(_TOKENS) < lengths[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}, torch.arange(len(rows)) // (len(rows) // 2)


def _of_file(text: str) -> tuple[list[str], list[str]]:
    """Lines of code and lines of documentation, without indentation, comments and the quotes around a docstring."""
    documentation = {line for node in _docstrings(text) for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    kinds: tuple[list[str], list[str]] = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip().strip("\"'")
        if len(stripped) >= _SHORTEST and not stripped.startswith("#"):
            kinds[number in documentation].append(stripped)
    return kinds[0][:_A_FILE], kinds[1][:_A_FILE]


def _docstrings(text: str) -> Iterator[ast.Constant]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()) as found), *_]:
                    yield found
