"""Any causal language model of transformers in every arithmetic: perplexity and accuracy over one text."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paperworks.core import UserError
from paperworks.lab import Lab, corpus, stats, tiny_lm

from .contenders import CONTENDERS, attention_by, everywhere, named
from .hub import load

__all__ = ["Perplexity", "perplexities"]

_BLOCK = 64  # tokens that count as one item: neighbours depend on each other
_FEWEST_TOKENS = 5 * _BLOCK + 1
REFERENCE = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity:
    """One arithmetic's result: ``perplexity`` and ``accuracy`` (top-1, in percent) over ``tokens`` tokens.

    ``change`` is the loss minus float32's in nats a token, paired over the tokens, with its 95 % interval.
    """

    contender: str
    says: str
    tokens: int
    perplexity: float
    accuracy: float
    change: float
    low: float
    high: float


def perplexities(
    model: str,
    *,
    text: str | None = None,
    tokens: int = 20_000,
    contenders: Sequence[str] = tuple(CONTENDERS),
    targets: str = "attention",
    home: Path | None = None,
    progress: Any = None,
) -> Iterator[Perplexity]:
    """Evaluate a model in every arithmetic, one after the other; what was finished before is read back.

    Args:
        model: a folder of transformers' or an id of its hub (which is downloaded), in float32 on the CPU.
        text: what it reads; by default files of Python's standard library.
        tokens: how many of its tokens.
        contenders: names out of `CONTENDERS`; float32 comes first in any case.
        targets: ``"attention"`` (both of its products) or ``"all"`` (linear layers too, lm_head included).
        home: where finished results are kept, by default with the runs.
        progress: receives (arithmetic, windows done, windows).

    Raises:
        UserError: a model or tokenizer that cannot be loaded, a name or target that does not exist, too short a text.
    """
    wanted = named([REFERENCE, *contenders])
    within = {"attention": attention_by, "all": everywhere}.get(targets)
    if within is None:
        raise UserError(f"targets is 'attention' or 'all', not {targets!r}")
    loaded, tokenizer, version = load(model)
    text = _standard_library() if text is None else text
    stream = np.asarray(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"][:tokens], dtype=np.int32)
    if len(stream) < _FEWEST_TOKENS:
        raise UserError(f"the text has {len(stream)} tokens; at least {_FEWEST_TOKENS} are needed for an interval")
    context = min(getattr(loaded.config, "max_position_embeddings", 1024), 1024)
    sizes = np.ones(max(len(tokenizer), loaded.config.vocab_size), dtype=np.int32)
    lab = Lab("lmul", preset="eval", home=home)

    def read(contender: str, **_: Any) -> dict[str, Any]:
        def say(_: str, done: int, total: int) -> None:
            if progress is not None:
                progress(contender, done, total)

        with within(loaded, CONTENDERS[contender]):
            score = tiny_lm.evaluate(loaded, stream, sizes, context=context, stride=context, progress=say)
        return {"nats": score.nats, "correct": score.correct}

    key = {"model": version, "targets": targets, "stream": hashlib.sha256(stream.tobytes()).hexdigest()}
    reference: dict[str, Any] | None = None
    for name in wanted:
        result = lab.step("perplexity", read, contender=name, **key)
        reference = reference or result
        yield _perplexity(lab, name, result, reference)


def _perplexity(lab: Lab, name: str, result: dict[str, Any], reference: dict[str, Any]) -> Perplexity:
    blocks = np.arange(len(result["nats"])) // _BLOCK
    change = stats.clustered(result["nats"] - reference["nats"], lab.rng(name, 0), clusters=blocks)
    return Perplexity(
        contender=name,
        says=CONTENDERS[name].says,
        tokens=len(result["nats"]),
        perplexity=math.exp(result["nats"].mean()),
        accuracy=100 * float(result["correct"].mean()),
        change=change.value,
        low=change.low,
        high=change.high,
    )


def _standard_library() -> str:
    return "\n".join(corpus.standard_library().texts("test"))
