"""Pictures of the shipped model drawn in one way or another, and what each of them took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from .config import SJDConfig
from .generation import speculative_jacobi
from .image_model import ImageModel, load
from .scheme import Coupling, Init, Verify
from .stats import SJDStats

__all__ = [
    "FAST",
    "PAPER",
    "PLAIN",
    "REPRODUCIBLE",
    "Way",
    "draw",
    "drawn",
    "jacobi_passes",
    "seconds_apiece",
    "shipped",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to draw: a scheme with its ``window``, and the ``top_k`` that decides the law (0: all codes).

    With ``adaptive`` the window is the most, and measured cost decides.
    """

    window: int = 16
    init: Init = "onehot"
    coupling: Coupling = "independent"
    verify: Verify = "mrs"
    top_k: int = 0
    adaptive: bool = False


PAPER = Way()
PLAIN = Way(window=1, coupling="gumbel", verify="gumbel")
"""Token by token, by the noise of positions: what `REPRODUCIBLE` draws too."""
FAST = Way(window=32, init="sample_h", coupling="gumbel")
REPRODUCIBLE = Way(window=32, init="sample_h", coupling="gumbel", verify="gumbel")


@cache
def shipped(device: str = "cpu") -> ImageModel:
    """The shipped model on ``device``, read once."""
    image = load()
    image.model.to(device)  # type: ignore[arg-type]
    return image


def draw(image: ImageModel, names: Sequence[str], seeds: Sequence[int], way: Way) -> tuple[NDArray[np.int64], SJDStats]:
    """Codes [P, 256] of one picture a name, each by its own seed, in one batch; and what it took."""
    config = SJDConfig(
        window=way.window,
        init=way.init,
        coupling=way.coupling,
        verify=way.verify,
        adaptive_window=way.adaptive,
        grid=image.grid,
        image_vocab=torch.arange(image.codes),
        seed=list(seeds),
    )
    ids = image.ids(names).to(image.model.device)
    model: Any = image.model
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        custom_generate=speculative_jacobi,
        sjd_config=config,
        top_k=way.top_k,
    )
    assert config.last_stats is not None
    return out[:, 1:].cpu().numpy(), config.last_stats


def drawn(*, way: Way, names: Sequence[str], first: int, device: str) -> dict[str, NDArray[np.int64]]:
    """``codes`` [P, 256], ``passes`` [P], and in ``taken`` [P, 256] with how many others each code was taken.

    Picture b has the seed ``first + b``. ``taken`` counts the code itself, so its mean in a pass of n codes is n.
    """
    codes, stats = draw(shipped(device), names, range(first, first + len(names)), way)
    taken = [np.repeat(row.accepted_per_step, row.accepted_per_step) for row in stats.per_row]
    passes = [row.nfe for row in stats.per_row]
    return {"codes": codes, "passes": np.array(passes), "taken": np.stack(taken)}


def seconds_apiece(
    *, seed: int, names: Sequence[str], ways: Sequence[Way], device: str
) -> dict[str, NDArray[np.float64]]:
    """``seconds`` and ``passes`` of a picture of each name [ways, P], drawn one at a time.

    Ways take turns at a name, so that all meet the same load of the machine.
    """
    image = shipped(device)
    for way in ways:
        draw(image, names[:1], [seed], way)  # the first call sets up what later ones find
    seconds, passes = np.zeros((2, len(ways), len(names)))
    for column, name in enumerate(names):
        for line, way in enumerate(ways):
            began = time.perf_counter()
            _, stats = draw(image, [name], [seed], way)
            seconds[line, column], passes[line, column] = time.perf_counter() - began, stats.nfe
    return {"seconds": seconds, "passes": passes}


@torch.inference_mode()
def jacobi_passes(*, seed: int, names: Sequence[str], window: int, device: str) -> list[int]:
    """Passes for a picture of each name by deterministic Jacobi decoding.

    A draft is taken where a fresh draw equals it. What is taken is always the fresh draw, so the output has the right
    law.
    """
    image = shipped(device)
    return [_jacobi(image, name, window, torch.Generator().manual_seed(seed)) for name in names]


def _jacobi(image: ImageModel, name: str, window: int, generator: torch.Generator) -> int:
    cache, length = DynamicCache(config=image.model.config), image.grid.tokens
    fresh = _fresh(image, image.ids([name]), cache, generator)
    newest, drafts, taken, passes = fresh[-1:], fresh[:0], 1, 1
    while taken < length:
        wanted = min(window - 1, length - taken - 1)
        random = torch.randint(image.codes, (max(0, wanted - len(drafts)),), generator=generator)
        drafts = torch.cat([drafts[:wanted], random])
        fresh = _fresh(image, torch.cat([newest, drafts])[None], cache, generator)
        run = int((fresh[:-1] == drafts).long().cumprod(0).sum())
        newest, drafts, passes, taken = fresh[run : run + 1], fresh[run + 1 :], passes + 1, taken + run + 1
        if run < wanted:
            cache.crop(run - wanted)
    return passes


def _fresh(image: ImageModel, ids: Tensor, cache: DynamicCache, generator: torch.Generator) -> Tensor:
    """A draw from each law after ``ids`` [1, R], codes [R]."""
    logits = image.model(ids.to(image.model.device), past_key_values=cache).logits[0, :, : image.codes]
    return torch.multinomial(logits.softmax(-1).cpu(), 1, generator=generator)[:, 0]
