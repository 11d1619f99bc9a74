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
from .drafts import Window
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
_CHANGE = 0.7  # how much logits change, so that about as much is accepted as in real pictures


def bench(lab: Lab) -> Iterator[BenchRow]:
    """What follows a pass (verify a window of drafts, replace, draft anew), the pass itself, and whole pictures."""
    yield from _sampler(lab)
    yield from _passes(lab)
    yield from picture_rows(lab)


def _sampler(lab: Lab) -> Iterator[BenchRow]:
    source = CounterSource(torch.tensor([1], device=lab.device))
    accepted = torch.zeros(1, dtype=torch.long, device=lab.device)
    for coupling, verify in product(get_args(Coupling), get_args(Verify)):
        window, laws = window_of_drafts(WINDOW, VOCABULARY, source, by_noise=coupling == "gumbel")
        compared = lab.compare(
            partial(step, window, laws, accepted, Scheme(coupling=coupling, verify=verify), source.at(1)),
            {LOOP: partial(released_rule, window, laws, seed=1)},
        )
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


def window_of_drafts(
    drafts: int, vocabulary: int, source: CounterSource, *, by_noise: bool = False
) -> tuple[Window, Tensor]:
    """A window of drafts with their old laws, and the new laws, as different as those of passes over a picture.

    Drafts are drawn anew, or ``by_noise`` of their positions.
    """
    device, generator = source.seeds.device, torch.Generator().manual_seed(1)
    logits = torch.randn(1, drafts + 1, vocabulary, generator=generator) * 3
    changes = [torch.randn(logits.shape, generator=generator) * _CHANGE for _ in range(2)]
    old, new = ((logits + change).softmax(-1).to(device) for change in changes)
    positions = torch.arange(drafts, device=device)[None]
    draw = source.shared if by_noise else source.categorical
    tokens = draw(old[:, :-1], positions, torch.ones_like(positions) > 0)
    return Window(tokens, old[:, :-1], torch.tensor([drafts], device=device)), new


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
