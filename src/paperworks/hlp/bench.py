"""Our collator beside encoding every part whole, and a training step beside one without the horizon loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from paperworks.lab import BenchRow, Lab, corpus, tiny_lm

from .collator import FIMCollator, FIMSettings
from .cuts import cut_char
from .documents import TextEncoder
from .horizon import HLPHead, hlp_loss
from .schemes import FIM_SCHEMES
from .transform import Ids, fim_transform

__all__ = ["bench"]

PLAIN, PERMUTE, WITHOUT = "three encodings", "decode, then three encodings", "without the horizon loss"
ONCE = "encoding every document once, uncut"
_FILES = 24
_REPEATS = 7
_COLLATOR_TARGET = 1 / 8
_STEP_TARGET = 1.01
_MODEL = LlamaConfig(
    vocab_size=8192, hidden_size=256, intermediate_size=688, num_hidden_layers=6, num_attention_heads=4
)


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a peer: collators on files of the standard library cut at characters, then the training step.

    "First epoch" encodes every document anew; "later epochs" remembers them, as training does. In the first epoch every
    collator must encode each character once at least, so one row more has what that takes. The peers are a plain
    collator that encodes the three parts, and the permutation that public training scripts use, which starts from a
    document's ids and so decodes them first; neither can gain from a second epoch. Ours gains only while a process
    keeps the documents: not over a corpus larger than what is remembered, nor with workers that end with the epoch.
    """
    texts = _texts()
    tokenizer = _tokenizer()
    peers = Peers(tokenizer, texts)
    settings = FIMSettings(fim_rate=1.0, max_length=1_000_000)
    remembering = Epochs(FIMCollator(tokenizer, settings), texts)
    remembering()
    others = {PLAIN: peers.plain, PERMUTE: peers.permuted}
    case = f"{len(texts)} files, {sum(map(len, texts)) / 1e6:.2f} MB"
    timed = lab.compare(remembering, others, _REPEATS)
    yield from timed.rows(f"later epochs, {case}", targets=dict.fromkeys(others, _COLLATOR_TARGET))
    forgetting = Epochs(FIMCollator(tokenizer, replace(settings, remembered=0)), texts)
    timed = lab.compare(forgetting, {**others, ONCE: peers.once}, _REPEATS)
    yield from timed.rows(f"first epoch, {case}")
    yield from _step(lab)


class Epochs:
    """A collator that goes over the same documents again, with other cuts."""

    def __init__(self, collator: FIMCollator, texts: list[str]) -> None:
        self._collator, self._texts = collator, texts

    def __call__(self) -> list[Ids]:
        self._collator.set_epoch(self._collator.epoch + 1)
        return [ids for ids, _ in self._collator.sequences(self._texts)]


class Peers:
    """What others do, with our own encoder, so that only the algorithms differ."""

    def __init__(self, tokenizer: Any, texts: list[str]) -> None:
        self._encoder = TextEncoder(tokenizer)
        self._scheme = FIMCollator(tokenizer).scheme
        self._decode = tokenizer.backend_tokenizer.decode
        self._texts = texts
        self._ids = [self._encoder.encode(text).tolist() for text in texts]
        self._rng = np.random.default_rng(0)

    def plain(self) -> list[Ids]:
        """Prefix, middle and suffix of every text, encoded."""
        return [self._three(text) for text in self._texts]

    def permuted(self) -> list[Ids]:
        """The same from ids, decoded first."""
        return [self._three(self._decode(ids, skip_special_tokens=False)) for ids in self._ids]

    def once(self) -> list[Ids]:
        """Every text, encoded in one call: no sequences, but the least that sequences take."""
        return self._encoder.encode_all(self._texts)

    def _three(self, text: str) -> Ids:
        start, end = cut_char(text, self._rng)
        prefix, middle, suffix = map(self._encoder.encode, (text[:start], text[start:end], text[end:]))
        return fim_transform(prefix, middle, suffix, self._scheme, "psm")[0]


def _texts() -> list[str]:
    library = corpus.standard_library()
    return [library.text(file) for file in library.split("validation")][:_FILES]


def _tokenizer() -> PreTrainedTokenizerFast:
    """The house's byte-level BPE, with StarCoder2's sentinels."""
    sentinels = FIM_SCHEMES["starcoder2"]
    backend = tiny_lm.load_tokenizer(tiny_lm.SHIPPED / "tokenizer.json")
    spelled = [sentinels.prefix, sentinels.suffix, str(sentinels.middle), sentinels.end]
    backend.add_special_tokens(spelled)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token=sentinels.end, pad_token=sentinels.end
    )


def _step(lab: Lab) -> Iterator[BenchRow]:
    """Forward and backward of a small Llama with and without the head, on the same tokens."""
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(_MODEL)
    model.to(lab.device)
    head = HLPHead(_MODEL.hidden_size).to(lab.device)
    tokens = torch.randint(_MODEL.vocab_size, (2, 512), device=lab.device)
    targets = torch.full(tokens.shape, -1.0, device=lab.device)
    targets[:, 300:500] = torch.linspace(0.995, 0, 200)
    timed = lab.compare(_steps(model, tokens, head, targets), {WITHOUT: _steps(model, tokens, None, targets)}, _REPEATS)
    yield from timed.rows(
        f"training step, {_MODEL.num_hidden_layers} layers of {_MODEL.hidden_size}, 1024 tokens",
        targets={WITHOUT: _STEP_TARGET},
    )


def _steps(model: Any, tokens: torch.Tensor, head: HLPHead | None, targets: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        states: list[torch.Tensor] = []
        hook = model.model.register_forward_hook(lambda decoder, given, output: states.append(output[0]))
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        hook.remove()
        if head is not None:
            loss = loss + 0.1 * hlp_loss(states[0], head, targets)
        loss.backward()
        model.zero_grad()

    return step
