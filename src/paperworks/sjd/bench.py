"""The sampler of a window beside the per-token loop of the released rule, and the passes of a window beside one token's."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from paperworks.lab import Lab
from paperworks.lab.timing import BenchRow

from .drafts import Window
from .randomness import CounterSource
from .scheme import Coupling, Scheme, Verify
from .verification import step

__all__ = ["bench"]

WINDOW, VOCABULARY = 64, 16_384
LOOP = "per-token loop of the released rule"
SCHEMES: tuple[tuple[str, Coupling, Verify], ...] = (
    ("independent drafts", "independent", "mrs"),
    ("maximal coupling", "maximal", "mrs"),
    ("Gumbel coupling", "gumbel", "mrs"),
)


def bench(lab: Lab) -> Iterator[BenchRow]:
    """The sampler's share of a pass: verify a window of drafts, replace, draft anew."""
    window, laws = window_of_drafts(WINDOW, VOCABULARY, lab.device)
    accepted = torch.zeros(1, dtype=torch.long, device=lab.device)
    for name, coupling, verify in SCHEMES:
        scheme = Scheme(coupling=coupling, verify=verify)
        source = CounterSource(torch.tensor([1], device=lab.device))
        compared = lab.compare(
            lambda scheme=scheme, source=source: step(window, laws, accepted, scheme, source),
            {LOOP: lambda: released_rule(window, laws)},
        )
        yield from compared.rows(
            f"sampler, {WINDOW} drafts of {VOCABULARY} tokens, {name}",
            targets={LOOP: 1 / 20} if coupling == "independent" else None,
        )


def window_of_drafts(drafts: int, vocabulary: int, device: str) -> tuple[Window, Tensor]:
    """A window whose old and new laws are close, as they are while a picture is drawn, and the new laws."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, drafts + 1, vocabulary, generator=generator) * 3
    moved = logits + torch.randn(logits.shape, generator=generator) * 0.05
    old, new = logits.softmax(-1).to(device), moved.softmax(-1).to(device)
    tokens = torch.multinomial(old[0, :-1].cpu(), 1, generator=generator)[:, 0].to(device)[None]
    return Window(tokens, old[:, :-1].contiguous(), torch.tensor([drafts], device=device)), new


def released_rule(window: Window, laws: Tensor) -> tuple[list[int], Tensor]:
    """What the released code does in a pass, in its manner: a token at a time in Python, with laws copied whole.

    It draws uniform numbers for the whole vocabulary, compares draft by draft, replaces the first that is rejected,
    and draws the rest anew. Returns the tokens taken and the new drafts.
    """
    p, q = laws[0].clone(), window.laws[0].clone()
    levels = torch.rand_like(p)
    taken: list[int] = []
    for i, draft in enumerate(window.tokens[0].tolist()):
        if (levels[i, draft] * q[i, draft] < p[i, draft]).item():
            taken.append(draft)
            continue
        left = (p[i] - q[i]).clamp_min(0)
        taken.append(int(torch.multinomial(left / left.sum(), 1).item()))
        break
    else:
        taken.append(int(torch.multinomial(p[-1], 1).item()))
    drafts = [int(torch.multinomial(p[i], 1).item()) for i in range(len(taken), len(p))]
    return taken, torch.tensor(drafts)
