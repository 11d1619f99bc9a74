"""The claims that are measured on pictures of the shipped model: passes, seconds, and what both depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import figures
from .drawing import FAST, PAPER, PLAIN, REPRODUCIBLE, Way, drawn, jacobi_passes, seconds_apiece, shipped
from .image_model import PATTERNS
from .projection import H200, LUMINA, projected_speedup
from .published import FOLLOW_UPS
from .sizes import Sizes
from .two_samples import Sample, p_values, sample_of

__all__ = ["Pictures", "gains", "law_rows", "on_pictures"]

Row = Mapping[str, str | float | None]
Counts = NDArray[np.int64]

_RIVALS: dict[str, Way] = {
    "the paper's, first drafts declared uniform": replace(PAPER, init="uniform"),
    "the paper's, left neighbour's token": replace(PAPER, init="repeat_h"),
    "the paper's, left neighbour's law": replace(PAPER, init="sample_h"),
    "maximal coupling": replace(FAST, coupling="maximal"),
}
_BEST: dict[str, Way] = {"Gumbel coupling": FAST, "Gumbel verification": REPRODUCIBLE}
_OURS, _PAPERS = "Gumbel coupling", "the paper's"
_WINDOW = 32
"""The window at which schemes are compared."""
_SHOWN = 7
"""As many columns of pictures as a figure has room for."""
_ELSEWHERE = 1_000_000
"""Seeds of pictures that are drawn independently of all others."""


class Pictures:
    """What a run draws, each thing once: P pictures, ``seeds`` of each of the first ``names`` real names."""

    def __init__(self, lab: Lab, sizes: Sizes) -> None:
        self.lab, self.sizes = lab, sizes
        self.image = shipped(lab.device)
        self.once = self.image.real[: sizes.names]
        self.names = [name for name in self.once for _ in lab.seeds]
        self.tokens = self.image.grid.tokens

    def drawn(self, way: Way) -> dict[str, Counts]:
        """See `drawing.drawn`; those of real names."""
        return self.lab.step("pictures", drawn, way=way, names=self.names, first=0, device=self.lab.device)

    def patterns(self, way: Way) -> dict[str, Counts]:
        """Simple patterns."""
        names = [PATTERNS] * (self.sizes.patterns * len(self.lab.seeds))
        return self.lab.step("patterns", drawn, way=way, names=names, first=0, device=self.lab.device)

    def plainly(self) -> dict[str, Counts]:
        """Pictures of real names by plain decoding, from seeds of their own."""
        way = Way(window=1)
        return self.lab.step("plain", drawn, way=way, names=self.names, first=_ELSEWHERE, device=self.lab.device)

    def ratio(self, above: Counts | Sequence[float], below: Counts | Sequence[float]) -> stats.Estimate:
        """The ratio of two sums over pictures; those of one name are one cluster."""
        return stats.clustered_ratio(above, below, self.lab.rng("ratio", 0), clusters=self.names)

    def compression(self, way: Way) -> stats.Estimate:
        """Passes of plain decoding over those of a way."""
        passes = self.drawn(way)["passes"]
        return self.ratio(np.full(len(passes), self.tokens), passes)

    def setting(self, more: str) -> str:
        """What was drawn, in words."""
        count = f"{len(self.names)} pictures, {len(self.lab.seeds)} of each of {len(self.once)} names"
        parameters = sum(parameter.numel() for parameter in self.image.model.parameters())
        return f"{count}; {self.tokens} tokens out of {self.image.codes}, a model of {parameters / 1e6:.1f} M; {more}"


def gains(pictures: Pictures) -> Iterator[Measurement | Untested]:
    """C1 and C2, which are about the paper's models where these are at hand."""
    yield _passes(pictures)
    yield _seconds(pictures) if pictures.sizes.timed else _longer("C2")


def on_pictures(pictures: Pictures) -> Iterator[Measurement | Untested]:
    """C7 to C10."""
    yield _deterministic(pictures) if pictures.sizes.timed else _longer("C7")
    yield _first_drafts(pictures)
    yield _randomness(pictures)
    yield _saturation(pictures)


def _longer(claim: str) -> Untested:
    return Untested(claim=claim, reason="it needs --preset quick or full")


def _ways(sizes: Sizes) -> list[tuple[str, Way]]:
    """All that is drawn with the full law, by scheme, in rising order of windows."""
    everywhere = {_PAPERS: PAPER} | (_RIVALS | _BEST if sizes.rivals else {})
    ways = [(name, replace(way, window=window)) for name, way in everywhere.items() for window in sizes.windows]
    if not sizes.rivals:
        ways += [(name, replace(way, window=max(sizes.windows))) for name, way in _BEST.items()]
    return ways


def _passes(pictures: Pictures) -> Measurement:
    lab, ways = pictures.lab, _ways(pictures.sizes)
    for _, way in lab.progress(ways, "draw pictures", len(ways)):
        pictures.drawn(way)
    ours = next(way for name, way in reversed(ways) if name == _OURS and way.window <= _WINDOW)
    papers = replace(PAPER, window=ours.window)
    against = pictures.ratio(pictures.drawn(papers)["passes"], pictures.drawn(ours)["passes"])
    heat = {f"{name}, window {way.window}": pictures.drawn(way) for name, way in ((_PAPERS, papers), (_OURS, ours))}
    return Measurement(
        claim="C1",
        **pictures.compression(PAPER).as_fields(),
        scale="smaller",
        unit="times",
        setting=pictures.setting("the paper's scheme with a window of 16, all codes; clusters are names"),
        note=(
            f"At a window of {ours.window} Gumbel coupling takes {against.value:.2f} times fewer passes than the "
            f"paper's scheme [{against.low:.2f}, {against.high:.2f}], at the same law."
        ),
        rows=(*(_passes_row(pictures, name, way) for name, way in ways), *(one.row() for one in FOLLOW_UPS)),
        figures=(
            lab.figure("pictures", _samples(pictures), alt=figures.SAMPLES_ALT),
            lab.figure("accepted", figures.accepted(heat, pictures.image.grid), alt=figures.ACCEPTED_ALT),
        ),
    )


def _passes_row(pictures: Pictures, name: str, way: Way) -> Row:
    found = pictures.compression(way)
    return {
        "scheme": name,
        "window": float(way.window),
        "passes": pictures.tokens / found.value,
        "times fewer": found.value,
        "low": found.low,
        "high": found.high,
    }


def _samples(pictures: Pictures) -> Any:
    """One picture of each of the first names, drawn in three ways with the same seeds."""
    names = pictures.once[:_SHOWN]
    panels = {}
    for label, way in (
        ("plain", PLAIN),
        ("Gumbel\nverification", REPRODUCIBLE),
        ("Gumbel\ncoupling", FAST),
    ):
        found = pictures.lab.step("shown", drawn, way=way, names=names, first=0, device=pictures.lab.device)
        panels[label] = (pictures.image.paint(found["codes"]), found["passes"])
    return figures.samples(panels, names)


def _seconds(pictures: Pictures) -> Measurement:
    lab = pictures.lab
    ways = {
        "plain": PLAIN,
        _PAPERS: PAPER,
        "Gumbel coupling, window 32": FAST,
        "Gumbel verification, window 32": REPRODUCIBLE,
        "Gumbel verification, adaptive window": replace(REPRODUCIBLE, adaptive=True),
    }
    seeds = lab.each_seed(
        "seconds",
        seconds_apiece,
        seeds=range(pictures.sizes.timed),
        names=pictures.once,
        ways=tuple(ways.values()),
        device=lab.device,
    )
    seconds, passes = (np.concatenate([found[key] for found in seeds], axis=1) for key in ("seconds", "passes"))
    clusters = list(pictures.once) * pictures.sizes.timed

    def ratio(of: NDArray[Any], index: int) -> stats.Estimate:
        return stats.clustered_ratio(of[0], of[index], lab.rng("seconds", 0), clusters=clusters)

    times = [ratio(seconds, index) for index in range(len(ways))]
    fewer = [ratio(passes, index) for index in range(len(ways))]
    rows: list[Row] = [
        {
            "scheme": name,
            "seconds": float(seconds[index].mean()),
            "times faster": times[index].value,
            "low": times[index].low,
            "high": times[index].high,
            "times fewer passes": fewer[index].value,
            "time saved for passes": times[index].value / fewer[index].value,
        }
        for index, name in enumerate(ways)
    ]
    return Measurement(
        claim="C2",
        **times[1].as_fields(),
        scale="smaller",
        unit="times",
        setting=f"{len(clusters)} pictures of the shipped model one at a time on {lab.device}, {lab.threads} threads",
        note="Rows that begin with 'projected' are no measurement: a 7B model's passes by an accelerator's data sheet.",
        rows=(*rows, *_projections(pictures)),
    )


def _projections(pictures: Pictures) -> Iterator[Row]:
    """What compressions would mean for a model of 7 billion parameters, if they held for it."""
    published = ("the paper's, 2.22 times fewer as published", 2.22, 16)
    measured = [
        (f"{name}, as measured here", pictures.compression(way).value, way.window)
        for name, way in ((_PAPERS, PAPER), (_OURS, replace(FAST, window=max(pictures.sizes.windows))))
    ]
    for name, compression, window in (published, *measured):
        yield {
            "scheme": f"projected, {LUMINA.name} on an {H200.name}, window {window}: {name}",
            "times faster": projected_speedup(compression, window, LUMINA, H200),
            "times fewer passes": compression,
        }


def _deterministic(pictures: Pictures) -> Measurement:
    lab = pictures.lab
    seeds = lab.each_seed(
        "jacobi", jacobi_passes, seeds=range(pictures.sizes.timed), names=pictures.once, window=16, device=lab.device
    )
    passes = np.concatenate(seeds)
    clusters = list(pictures.once) * pictures.sizes.timed
    plain = np.full(len(passes), pictures.tokens)
    return Measurement(
        claim="C7",
        **stats.clustered_ratio(plain, passes, lab.rng("jacobi", 0), clusters=clusters).as_fields(),
        scale="smaller",
        unit="times",
        setting=f"{len(passes)} pictures of {len(pictures.once)} names, a window of 16, all codes",
        note=f"There are {pictures.image.codes} codes here and 8192 there: two draws from a law are equal more often.",
    )


def _first_drafts(pictures: Pictures) -> Measurement:
    inits = {"random": PAPER, "left neighbour's token": replace(PAPER, init="repeat_h")}
    random, left = (pictures.patterns(way)["passes"] for way in inits.values())
    real = {name: pictures.drawn(way) for name, way in inits.items()}
    busy = {name: _busy(pictures, found["codes"]) for name, found in real.items()}
    rows: list[Row] = [
        {"where": where, **{f"{name}: codes a pass": _codes_a_pass(real[name]["taken"], cells[name]) for name in inits}}
        for where, cells in (
            ("calm half of real pictures", {name: ~cells for name, cells in busy.items()}),
            ("busy half of real pictures", busy),
        )
    ]
    patterns = {
        f"{name}: codes a pass": pictures.tokens / float(found.mean())
        for name, found in zip(inits, (random, left), strict=True)
    }
    return Measurement(
        claim="C8",
        **stats.clustered_ratio(random, left, pictures.lab.rng("patterns", 0)).as_fields(),
        scale="smaller",
        unit="times",
        setting=f"{len(random)} patterns of one colour, stripes or fading colours; a window of 16, all codes",
        rows=({"where": "simple patterns", **patterns}, *rows),
    )


def _busy(pictures: Pictures, codes: Counts) -> NDArray[np.bool_]:
    """The half of all cells [P, 256] whose painted pixels vary most."""
    painted = pictures.image.paint(codes).astype(np.float64)
    height, width = pictures.image.grid.height, pictures.image.grid.width
    cells = painted.reshape(len(painted), height, painted.shape[1] // height, width, painted.shape[2] // width, 3)
    spread = cells.std((2, 4)).mean(-1).reshape(len(painted), -1)
    return np.asarray(spread > np.median(spread))


def _codes_a_pass(taken: Counts, cells: NDArray[np.bool_]) -> float:
    """How many of ``cells`` a pass takes: a cell that was taken with n - 1 others needed 1 / n of a pass."""
    return float(1 / (1 / taken[cells]).mean())


def _randomness(pictures: Pictures) -> Measurement:
    ways = {top_k: replace(PAPER, top_k=top_k) for top_k in pictures.sizes.top_ks}
    a_pass = {top_k: pictures.tokens / pictures.drawn(way)["passes"] for top_k, way in ways.items()}
    first, *_, last = pictures.sizes.top_ks
    found = stats.clustered(a_pass[first] - a_pass[last], pictures.lab.rng("top-k", 0), clusters=pictures.names)
    return Measurement(
        claim="C9",
        **found.as_fields(),
        scale="smaller",
        unit="codes",
        setting=pictures.setting(f"top-k of {first} against all codes, the paper's scheme, a window of 16"),
        rows=tuple({"top-k": str(k) if k else "all", "codes a pass": float(a_pass[k].mean())} for k in ways),
    )


def _saturation(pictures: Pictures) -> Measurement:
    windows = pictures.sizes.windows
    small, large = (pictures.drawn(replace(PAPER, window=window))["passes"] for window in (16, windows[-1]))
    by_scheme: dict[str, list[Way]] = {}
    for name, way in _ways(pictures.sizes):
        by_scheme.setdefault(name, []).append(way)
    places = {name: [way.window for way in ways] for name, ways in by_scheme.items()}
    curves = {name: [pictures.compression(way) for way in ways] for name, ways in by_scheme.items()}
    return Measurement(
        claim="C10",
        **pictures.ratio(small, large).as_fields(),
        scale="smaller",
        unit="times",
        setting=pictures.setting(f"the paper's scheme, windows of {windows[-1]} and 16, all codes"),
        figures=(pictures.lab.figure("windows", figures.windows(places, curves), alt=figures.WINDOWS_ALT),),
    )


def law_rows(pictures: Pictures) -> list[dict[str, str | float | None]]:
    """p values of tests that try to tell speculative pictures from plain ones; the last row is a law that differs."""
    plain = _sample(pictures, pictures.plainly())
    ways = {
        "pictures: the paper's": PAPER,
        "pictures: Gumbel coupling": replace(FAST, window=max(pictures.sizes.windows)),
        f"pictures, another law: top-k of {pictures.sizes.top_ks[0]}": replace(PAPER, top_k=pictures.sizes.top_ks[0]),
    }
    return [
        {
            "scheme": name,
            **{
                f"p, {test}": p
                for test, p in p_values(
                    plain,
                    _sample(pictures, pictures.drawn(way)),
                    [*pictures.names, *pictures.names],
                    pictures.lab.rng(name, 0),
                ).items()
            },
        }
        for name, way in ways.items()
    ]


def _sample(pictures: Pictures, found: Mapping[str, Counts]) -> Sample:
    return sample_of(pictures.image, pictures.names, found["codes"])
