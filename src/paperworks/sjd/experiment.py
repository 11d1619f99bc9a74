"""Measures the claims: the law of the output by enumeration, all else on pictures of the shipped model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import get_args

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import hub_claims, reference
from .claims_on_pictures import Pictures, gains, law_rows, on_pictures
from .controls import LOSSLESS, LOSSY
from .enumeration import enumerate_core, enumerate_reference, outputs, plain, tabular, total_variation
from .goodness import sampled_law
from .scheme import Coupling, Init, Scheme, Verify
from .sizes import PRESETS, Sizes

__all__ = ["PRESETS", "Sizes", "run"]

_DISTANCE = "largest total variation"
_WEIGHTS = "it takes published models of 7 to 8 billion parameters, which --preset paper downloads"


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim."""
    pictures = Pictures(lab, sizes)
    yield _same_law(lab, sizes, pictures)
    if sizes.hub is None:
        yield from gains(pictures)
        yield from (Untested(claim=claim, reason=_WEIGHTS) for claim in ("C4", "C5", "C6"))
    else:
        yield from hub_claims.claims(lab, sizes.hub)
    yield from on_pictures(pictures)


def _same_law(lab: Lab, sizes: Sizes, pictures: Pictures) -> Measurement:
    distances = _by_name(
        lab.each_seed("exact", exact_distances, seeds=range(sizes.laws), tables=sizes.tables, inits=sizes.inits)
    )
    wrong = _by_name(lab.each_seed("controls", control_distances, seeds=range(sizes.laws), tables=sizes.tables))
    fits = {
        scheme: lab.step("fit", sampled_law, coupling=coupling, verify=verify, draws=sizes.draws)
        for scheme, coupling, verify in _SAMPLED
    }
    told = law_rows(pictures)
    tables = ", ".join(f"{tokens}/{length}/{window}" for tokens, length, window in sizes.tables)
    return Measurement(
        claim="C11",
        **stats.exact(max(distances.values())).as_fields(),
        scale="smaller",
        setting=(
            f"every path of tabular models with tokens/length/window {tables}, {sizes.laws} tables of laws each; the "
            "first token comes from the prompt's pass"
        ),
        note=(
            f"Wrong schemes, enumerated alike, are {min(wrong.values()):.2g} to {max(wrong.values()):.2g} away. With "
            f"real Gumbel noise, a G-test of {sizes.draws} samples of 6 tokens out of 3 against the plain law has p of "
            f"{min(fits.values()):.2g} or more in {len(fits)} schemes. Speculative and plain pictures of the shipped "
            f"model are told apart by none of six tests below p of {_smallest(told[:-1]):.2g}; pictures of another "
            f"law by one with p of {_smallest(told[-1:]):.2g}."
        ),
        rows=(
            *_rows("", _DISTANCE, distances),
            *_rows("wrong: ", _DISTANCE, wrong),
            *_rows("sampled: ", "p of the G-test", fits),
            *told,
        ),
    )


_SAMPLED: tuple[tuple[str, Coupling, Verify], ...] = (
    ("independent drafts", "independent", "mrs"),
    ("maximal coupling", "maximal", "mrs"),
    ("Gumbel coupling", "gumbel", "mrs"),
    ("Gumbel verification", "gumbel", "gumbel"),
)


def exact_distances(
    *, seed: int, tables: tuple[tuple[int, int, int], ...], inits: tuple[Init, ...]
) -> dict[str, float]:
    """Total variation to plain decoding of every scheme, the largest over ``tables``.

    The tensor code is enumerated with ``inits``, but for Gumbel verification of drafts that are not coupled by Gumbel
    noise: it draws noise for places that nothing uses, which multiplies the paths; there the reference stands alone.
    """
    found: dict[str, float] = {}
    for vocabulary, length, window in tables:
        model = tabular(vocabulary, length, seed)
        law = plain(model, vocabulary, length)
        for init, coupling, verify in product(get_args(Init), get_args(Coupling), get_args(Verify)):
            scheme = Scheme(init=init, coupling=coupling, verify=verify)
            paths = [enumerate_reference(model, reference.rules(scheme), vocabulary, window, length)]
            if init in inits and (verify == "mrs" or coupling == "gumbel"):
                paths.append(enumerate_core(model, scheme, vocabulary, window, length))
            name = f"{init}, {coupling} coupling, {verify} verification"
            found[name] = max(found.get(name, 0.0), *(total_variation(outputs(path), law) for path in paths))
        for name, control in LOSSLESS.items():
            path = enumerate_reference(model, control.rules, vocabulary, window, length, control.limit)
            found[name] = max(found.get(name, 0.0), total_variation(outputs(path), law))
    return found


def control_distances(*, seed: int, tables: tuple[tuple[int, int, int], ...]) -> dict[str, float]:
    """Total variation to plain decoding of every wrong scheme, the largest over ``tables``."""
    found: dict[str, float] = {}
    for vocabulary, length, window in tables:
        model = tabular(vocabulary, length, seed)
        law = plain(model, vocabulary, length)
        for name, control in LOSSY.items():
            path = enumerate_reference(model, control.rules, vocabulary, window, length, control.limit)
            found[name] = max(found.get(name, 0.0), total_variation(outputs(path), law))
    return found


def _smallest(rows: Sequence[Mapping[str, str | float | None]]) -> float:
    """The smallest number in ``rows``."""
    return min(cell for row in rows for cell in row.values() if isinstance(cell, float))


def _rows(prefix: str, column: str, found: Mapping[str, float]) -> Iterator[Mapping[str, str | float | None]]:
    for name, number in found.items():
        yield {"scheme": prefix + name, column: number}


def _by_name(seeds: list[dict[str, float]]) -> dict[str, float]:
    """The largest distance of each scheme over the seeds."""
    return {name: max(found[name] for found in seeds) for name in seeds[0]}
