"""Whether two samples of pictures can be told apart: by codes, by what the model thinks of them, by their looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from torch import Tensor

from .image_model import ImageModel

__all__ = ["Sample", "p_values", "sample_of"]

Floats = NDArray[np.float64]

PERMUTATIONS = 1999
_CELL = 8
"""Pixels that are averaged into one number of a picture's looks, in both directions."""


@dataclass(frozen=True, slots=True)
class Sample:
    """P pictures: how often each has each code [P, K], nats a code under the model [P], and looks [P, D]."""

    counts: Floats
    nats: Floats
    looks: Floats

    def and_then(self, other: Sample) -> Sample:
        """Both samples as one."""
        pairs = ((self.counts, other.counts), (self.nats, other.nats), (self.looks, other.looks))
        return Sample(*(np.concatenate(pair) for pair in pairs))


@torch.inference_mode()
def sample_of(image: ImageModel, names: Sequence[str], codes: NDArray[np.int64]) -> Sample:
    """What is compared of pictures with ``codes`` [P, 256]."""
    counts = [np.bincount(row, minlength=image.codes) for row in codes]
    painted = image.paint(codes).astype(np.float64)
    side = painted.shape[1] // _CELL
    looks = painted.reshape(len(painted), side, _CELL, side, _CELL, 3).mean((2, 4)).reshape(len(painted), -1)
    return Sample(np.array(counts, dtype=np.float64), _nats(image, image.ids(names), torch.from_numpy(codes)), looks)


def _nats(image: ImageModel, prompts: Tensor, codes: Tensor) -> Floats:
    """The mean over a picture's codes of minus the logarithm of their probability [P]."""
    inputs = torch.cat([prompts, codes[:, :-1]], dim=1).to(image.model.device)
    logits = image.model(inputs).logits[..., : image.codes].cpu()
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), codes, reduction="none")
    return losses.double().mean(1).numpy()


def p_values(one: Sample, other: Sample, groups: Sequence[Any], rng: np.random.Generator) -> dict[str, float]:
    """The p value of each of three permutation tests; ``groups`` [2 P] names what pictures may be exchanged within.

    The statistics: chi-square of the two histograms of codes, the difference of mean nats, and the energy distance
    (Székely and Rizzo 2004) of looks.
    """
    both, size = one.and_then(other), len(one.nats)
    first = _first_of(size, np.asarray(groups), rng)
    distances = cdist(both.looks, both.looks)
    statistics: dict[str, Callable[[Floats], Floats]] = {
        "histogram of codes": lambda share: _chi_square(both.counts, share),
        "nats under the model": lambda share: np.abs(share @ both.nats),
        "energy distance": lambda share: -np.einsum("ri,ij,rj->r", share, distances, share, optimize=True),
    }
    sign = np.where(first, 1.0 / size, -1.0 / (len(both.nats) - size))
    return {name: _share_as_large(statistic(sign)) for name, statistic in statistics.items()}


def _first_of(size: int, groups: NDArray[Any], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which pictures are the first sample [1 + permutations, 2 P]: the true ones, then exchanged within groups."""
    first = np.zeros((1 + PERMUTATIONS, len(groups)), dtype=bool)
    first[:, :size] = True
    for row in first[1:]:
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            row[members] = row[rng.permutation(members)]
    return first


def _chi_square(counts: Floats, share: Floats) -> Floats:
    present = counts.sum(0) > 0
    return np.asarray(((share @ counts[:, present]) ** 2 / counts[:, present].sum(0)).sum(1))


def _share_as_large(statistics: Floats) -> float:
    """The share of all arrangements, the true one included, whose statistic is no smaller than the true one's."""
    return float((statistics >= statistics[0] - 1e-12 * abs(statistics[0])).mean())
