"""The claims on images: which feed-forward part reads digits best, how many experts, and how many of them a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import digits, draw, feed_forward, hub_data
from .sizes import Sizes

__all__ = ["CLAIMS", "images"]

CLAIMS = ("MK3-MLP", "MK3-KAN", "MK5", "MK5-8", "MK6")

Network = tuple[str, int, int]
"""A kind of feed-forward part, the number of experts, and how many of them see a token."""
Correct = Mapping[Network, NDArray[np.float64]]
"""By network, which digits were read right, 0 or 1: [seeds, images]."""

_OURS: Network = ("MLP-KAN", 8, 2)
_MLP: Network = ("MLP", 8, 2)
_KAN: Network = ("KAN", 8, 2)
_FEWER, _FEW, _MORE = (("MLP-KAN", count, 2) for count in (4, 6, 10))
_ONE, _THREE = (("MLP-KAN", 8, k) for k in (1, 3))
_NAMES = {
    _MLP: "MLP, as large",
    _KAN: "KAN, as large",
    _OURS: "MLP-KAN, 2 of 8 experts",
    _FEWER: "MLP-KAN, 2 of 4",
    _FEW: "MLP-KAN, 2 of 6",
    _MORE: "MLP-KAN, 2 of 10",
    _ONE: "MLP-KAN, 1 of 8",
    _THREE: "MLP-KAN, 3 of 8",
}


def images(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """The claims on images, or that they need a larger preset."""
    if not sizes.image_steps:
        yield from (Untested(claim=claim, reason="needs --preset full") for claim in CLAIMS)
        return
    correct = {network: _correct(lab, sizes, network) for network in _NAMES}
    yield from _measured(lab, sizes, correct)


def _correct(lab: Lab, sizes: Sizes, network: Network) -> NDArray[np.float64]:
    kind, experts, top_k = network
    settings: dict[str, Any] = {
        "kind": kind,
        "experts": experts,
        "top_k": top_k,
        "shape": sizes.shape,
        "steps": sizes.image_steps,
        "threads": lab.threads,
        "device": lab.device,
    }
    name = f"{kind}-{experts}-{top_k}"
    if sizes.images is None:
        return np.stack(lab.each_seed(f"digits-{name}", digits.correct_answers, **settings)).astype(np.float64)
    found = lab.each_seed(f"images-{name}", hub_data.images_read, data=sizes.images, **settings)
    return np.stack(found).astype(np.float64)


def _measured(lab: Lab, sizes: Sizes, correct: Correct) -> Iterator[Measurement]:
    estimates = {network: stats.two_level(found, lab.rng("accuracy", 0)) for network, found in correct.items()}
    figure = lab.figure(
        "digits",
        draw.accuracies({_NAMES[network]: (found, _group(network)) for network, found in estimates.items()}),
        "Share of held-out images read right by vision transformers whose feed-forward parts are an MLP, a KAN or "
        "MLP-KAN with 4 to 10 experts and 1 to 3 of them a token, with intervals.",
    )
    shared: dict[str, Any] = {
        "scale": "smaller",
        "setting": (
            f"{_read(sizes)}; vision transformer of {sizes.shape.layers} layers and width {sizes.shape.width}, "
            f"{sizes.image_steps} batches"
        ),
    }
    yield Measurement(
        claim="MK3-MLP",
        **stats.two_level_ratio(correct[_OURS], correct[_MLP], lab.rng("MK3-MLP", 0)).as_fields(),
        unit="times",
        rows=tuple(_row(network, found, sizes) for network, found in estimates.items()),
        figures=(figure,),
        **shared,
    )
    better_k = max(_ONE, _THREE, key=lambda network: estimates[network].value)
    differences = {
        "MK3-KAN": correct[_OURS] - correct[_KAN],
        "MK5": correct[_OURS] - correct[_FEWER],
        "MK5-8": (correct[_MORE] - correct[_OURS]) - (correct[_OURS] - correct[_FEW]),
        "MK6": correct[_OURS] - correct[better_k],
    }
    for claim, difference in differences.items():
        found = stats.two_level(100 * difference, lab.rng(claim, 0))
        yield Measurement(claim=claim, **found.as_fields(), unit="points", **shared)


def _read(sizes: Sizes) -> str:
    if sizes.images is not None:
        return f"{sizes.images.says}, {sizes.images.size} x {sizes.images.size} pixels, without augmentation"
    return f"scikit-learn's digits, 1100 to train and {digits.HELD_OUT} held out"


def _group(network: Network) -> int:
    return {"MLP": 0, "KAN": 1, "MLP-KAN": 2}[network[0]]


def _row(network: Network, found: stats.Estimate, sizes: Sizes) -> dict[str, str | float | None]:
    kind, experts, _ = network
    return {
        "feed-forward part": _NAMES[network],
        "parameters a layer": float(feed_forward.size(kind, experts=experts, shape=sizes.shape)),
        "accuracy, %": 100 * found.value,
        "from": 100 * found.low,
        "to": 100 * found.high,
    }
