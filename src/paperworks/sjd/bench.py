"""The sampler of a window beside the released per-token loop, and the pass of a window beside that of one token."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, get_args

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from paperworks.lab import Lab
from paperworks.lab.timing import BenchRow

from .adapters import adapter_for
from .drafts import Initial, Recent, Window, empty_window, fill
from .passes import Passes
from .picture_bench import picture_rows
from .randomness import CounterSource
from .scheme import Coupling, Scheme, Verify
from .verification import step

__all__ = ["bench"]

WINDOW, VOCABULARY = 64, 16_384
LAYERS, WIDTH = 4, 512
LOOP, ONE_TOKEN = "per-token loop of the released rule", "pass of one token"
_TESTS = {"mrs": "rejection sampling", "gumbel": "tested by noise"}
_CHANGE = 1.0  # how much logits change from pass to pass, so that about as much is accepted as in real pictures


def bench(lab: Lab) -> Iterator[BenchRow]:
    """What follows a pass (verify a window of drafts, replace, draft anew), the pass itself, and whole pictures."""
    yield from _sampler(lab)
    yield from _passes(lab)
    yield from picture_rows(lab)


def _sampler(lab: Lab) -> Iterator[BenchRow]:
    window, laws = window_of_drafts(WINDOW, VOCABULARY, lab.device)
    for coupling, verify in product(get_args(Coupling), get_args(Verify)):
        sampler = Sampler(Scheme(init="uniform", coupling=coupling, verify=verify), lab.device)
        for _ in range(3):
            sampler()  # until drafts and noise are those of the midst of a picture
        compared = lab.compare(sampler, {LOOP: partial(released_rule, window, laws, seed=1)})
        yield from compared.rows(
            f"sampler, {WINDOW} drafts, {VOCABULARY} tokens, {coupling} drafts, {_TESTS[verify]}",
            targets={LOOP: 1 / 20},
        )


def _passes(lab: Lab) -> Iterator[BenchRow]:
    """A pass of a window of 32 beside a pass of one token: what speculation pays for each of its fewer passes."""
    passes, prompt = model_with_prompt(lab)
    wide, one = prompt[:, :32], prompt[:, :1]
    compared = lab.compare(partial(_one_pass, passes, wide), {ONE_TOKEN: partial(_one_pass, passes, one)})
    yield from compared.rows(f"pass of a window of 32 after {prompt.shape[1]} tokens, {LAYERS} layers of {WIDTH}")


def model_with_prompt(lab: Lab) -> tuple[Passes, Tensor]:
    """The passes of a model with random weights that has read a prompt, and the prompt [1, 128]."""
    lab.seed_all("bench", 0)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=8,
        num_key_value_heads=8,
    )
    model: Any = LlamaForCausalLM(config)
    model.to(lab.device).eval()
    prompt = torch.randint(1024, (1, 128)).to(lab.device)
    passes = Passes(adapter_for(model, DynamicCache(config=config)))
    with torch.inference_mode():
        passes.prompts(prompt, torch.ones_like(prompt))
    return passes, prompt


@torch.inference_mode()
def _one_pass(passes: Passes, tokens: Tensor) -> None:
    """A window's pass, after which its entries are dropped again."""
    nothing = torch.zeros(1, dtype=torch.long, device=tokens.device)
    passes.window(tokens, nothing + tokens.shape[1] - 1)
    passes.keep(nothing)


def window_of_drafts(drafts: int, vocabulary: int, device: str) -> tuple[Window, Tensor]:
    """A window of drafts with their old laws, and the new laws."""
    old, new = _laws_of_two_passes(drafts + 1, vocabulary, device)
    tokens = CounterSource(torch.tensor([1], device=device)).categorical(
        old[None, :-1], torch.arange(drafts, device=device)[None], torch.ones(1, drafts, device=device) > 0
    )
    return Window(tokens, old[None, :-1], torch.tensor([drafts], device=device)), new[None]


def _laws_of_two_passes(positions: int, vocabulary: int, device: str) -> list[Tensor]:
    """Twice the laws of so many positions, as different as they are between passes over the same picture."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(positions, vocabulary, generator=generator) * 3
    changes = [torch.randn(logits.shape, generator=generator) * _CHANGE / 2 for _ in range(2)]
    return [(logits + change).softmax(-1).to(device) for change in changes]


class Sampler:
    """All that decoding does between passes, over and over: fill the window, verify it, draft anew.

    The laws stand in for a model's: those of a position change from one pass to the next.
    """

    def __init__(self, scheme: Scheme, device: str) -> None:
        self._scheme = scheme
        self._laws = _laws_of_two_passes(4 * (WINDOW + 1), VOCABULARY, device)
        self._initial = Initial(scheme.init, torch.arange(VOCABULARY, device=device))
        self._source = CounterSource(torch.tensor([1], device=device))
        self._window, self._recent = empty_window(self._laws[0][:1]), Recent.of(self._laws[0][:1], 1)
        self._accepted = torch.zeros(1, dtype=torch.long, device=device)
        self.passes = 0

    @property
    def accepted(self) -> int:
        """How many tokens have been taken."""
        return int(self._accepted)

    def __call__(self) -> None:
        """What follows a pass, and what comes before the next."""
        full = self._accepted * 0 + WINDOW
        source = self._source.at(2 * self.passes)
        window = fill(self._window, full, self._accepted, self._recent, self._initial, source)
        start = self.accepted % (3 * (WINDOW + 1))
        laws = self._laws[self.passes % 2][None, start : start + WINDOW + 1]
        taken, self._window = step(window, laws, self._accepted, self._scheme, self._source.at(2 * self.passes + 1))
        self._recent.note(self._accepted, taken.tokens, laws, taken.counts)
        self._accepted = self._accepted + taken.counts
        self.passes += 1


def released_rule(window: Window, laws: Tensor, seed: int) -> tuple[list[int], Tensor]:
    """What the released code does in a pass, in its manner: a token at a time in Python, with laws copied whole.

    It draws uniform numbers for the whole vocabulary, compares draft by draft, replaces the first that is rejected,
    and draws the rest anew. Returns the tokens taken and the new drafts.
    """
    p, q = laws[0].clone(), window.laws[0].clone()
    generator = torch.Generator(p.device).manual_seed(seed)
    levels = torch.rand(p.shape, generator=generator, device=p.device)
    taken: list[int] = []
    for i, draft in enumerate(window.tokens[0].tolist()):
        if (levels[i, draft] * q[i, draft] < p[i, draft]).item():
            taken.append(draft)
            continue
        left = (p[i] - q[i]).clamp_min(0)
        taken.append(int(torch.multinomial(left / left.sum(), 1, generator=generator).item()))
        break
    else:
        taken.append(int(torch.multinomial(p[-1], 1, generator=generator).item()))
    drafts = [int(torch.multinomial(p[i], 1, generator=generator).item()) for i in range(len(taken), len(p))]
    return taken, torch.tensor(drafts)
