"""One run's evidence: what was measured, on which code, in which environment, at what cost.

The file is JSON, one a run, with the schema of `Evidence.to_json`. Verdicts are never stored: `Evidence.verdicts`
computes them from the claims of today.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from paperworks.core import Claim, Measurement, Paper, Untested, Verdict, from_record, to_record, verdict
from paperworks.lab import seal

SCHEMA = 1
MAX_FIGURE_BYTES = 300_000
MAX_FILE_BYTES = 2_000_000

State = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure as it is stored: its alternative text, and either SVG source or a PNG in base64."""

    alt: str
    svg: str = ""
    png_base64: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("a figure needs an alternative text that says what it shows")
        if bool(self.svg) == bool(self.png_base64):
            raise ValueError("a figure is either SVG or PNG: give exactly one of svg and png_base64")
        if (size := len(self.svg or self.png_base64)) > MAX_FIGURE_BYTES:
            raise ValueError(
                f"a figure has at most {MAX_FIGURE_BYTES} bytes, not {size}: draw fewer points or lower the dpi"
            )

    def to_json(self) -> dict[str, str]:
        """The figure as it stands in an evidence file."""
        return {"alt": self.alt} | ({"svg": self.svg} if self.svg else {"png_base64": self.png_base64})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One claim's result, with the digest of the claim that it was measured for."""

    claim_digest: str
    of: Measurement | Untested


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything one run of one paper at one preset left behind.

    ``source`` has the digests of the paper's folder and of the house (core and lab); ``sizes`` are the preset's
    settings; ``bench`` holds the rows of a benchmark (``preset == "bench"``), which has no ``results``. Times are
    ISO 8601 in UTC.
    """

    slug: str
    preset: str
    sizes: Mapping[str, Any]
    seeds: int
    source: Mapping[str, str]
    commit: str | None
    started: str
    finished: str | None
    state: State
    error: str | None
    environment: Mapping[str, Any]
    cost: Mapping[str, float]
    results: Mapping[str, Result] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    bench: tuple[Mapping[str, Any], ...] = ()

    def of(self, claim: Claim) -> Measurement | Untested | None:
        """The result for ``claim``, None where there is none or where the claim has since been judged anew."""
        found = self.results.get(claim.id)
        return found.of if found and found.claim_digest == claim.digest else None

    def is_stale(self, claim: Claim) -> bool:
        """True where there is a result, but the claim's id, metric or judge has changed since: run again."""
        found = self.results.get(claim.id)
        return found is not None and found.claim_digest != claim.digest

    def verdicts(self, paper: Paper) -> dict[str, Verdict]:
        """The verdict on every claim of ``paper``, computed now."""
        return {claim.id: verdict(claim, self.of(claim)) for claim in paper.claims}

    def with_result(self, claim: Claim, result: Measurement | Untested) -> Evidence:
        """A copy with one more result.

        Raises ValueError where the claim already has a different one.
        """
        before = self.results.get(claim.id)
        if before is not None and before.of != result:
            raise ValueError(f"claim {claim.id} was given a second, different result")
        return replace(self, results={**self.results, claim.id: Result(claim_digest=claim.digest, of=result)})

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON types, in the order in which a reader wants to find them."""
        return {
            "schema": SCHEMA,
            "slug": self.slug,
            "preset": self.preset,
            "state": self.state,
            "error": self.error,
            "started": self.started,
            "finished": self.finished,
            "commit": self.commit,
            "source": dict(self.source),
            "sizes": dict(self.sizes),
            "seeds": self.seeds,
            "environment": dict(self.environment),
            "cost": dict(self.cost),
            "results": [
                {**to_record(result.of), "claim_digest": result.claim_digest} for result in self.results.values()
            ],
            "bench": [dict(row) for row in self.bench],
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
        }

    @classmethod
    def from_json(cls, data: object) -> Evidence:
        """The inverse of `to_json`.

        Raises ValueError where the schema is another one, a field is missing, unknown or has another type, or a number
        is not finite: such a file is never used.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"evidence is a JSON object, not {type(data).__name__}")
        if data.get("schema") != SCHEMA:
            raise ValueError(f"evidence of schema {data.get('schema')!r}; this version reads schema {SCHEMA}")
        _check_types(data)
        results = {}
        for record in data["results"]:
            of = from_record(record)
            digest = record.get("claim_digest")
            if not isinstance(of.claim, str) or not isinstance(digest, str):
                raise ValueError("a result needs the id and the digest of its claim")
            if of.claim in results:
                raise ValueError(f"claim {of.claim} has two results")
            results[of.claim] = Result(claim_digest=digest, of=of)
        figures = {name: _figure(record) for name, record in data["figures"].items()}
        plain = {name: data[name] for name in _TYPES if name not in {"results", "figures", "bench"}}
        return cls(**plain, results=results, figures=figures, bench=tuple(dict(row) for row in data["bench"]))


_TYPES: dict[str, tuple[type, ...]] = {
    "slug": (str,),
    "preset": (str,),
    "state": (str,),
    "error": (str, type(None)),
    "started": (str,),
    "finished": (str, type(None)),
    "commit": (str, type(None)),
    "source": (Mapping,),
    "sizes": (Mapping,),
    "seeds": (int,),
    "environment": (Mapping,),
    "cost": (Mapping,),
    "results": (list,),
    "bench": (list,),
    "figures": (Mapping,),
}


def _check_types(data: Mapping[str, Any]) -> None:
    if strange := sorted(data.keys() - {"schema", seal.FIELD, *_TYPES}):
        raise ValueError(f"evidence with {strange[0]!r}, a field that schema {SCHEMA} does not have")
    for name, types in _TYPES.items():
        if name not in data:
            raise ValueError(f"evidence without {name!r}")
        if not isinstance(data[name], types) or isinstance(data[name], bool):
            raise ValueError(
                f"evidence with {name}={data[name]!r}; it should be {' or '.join(t.__name__ for t in types)}"
            )
    if data["state"] not in get_args(State):
        raise ValueError(f"evidence in state {data['state']!r}; it is one of {', '.join(get_args(State))}")
    for part in ("results", "bench"):
        if not all(isinstance(row, Mapping) for row in data[part]):
            raise ValueError(f"evidence whose {part} are not all objects")
    for name, number in data["cost"].items():
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"evidence with cost {name}={number!r}; it should be a finite number")


def _figure(record: object) -> Figure:
    if not isinstance(record, Mapping) or not all(isinstance(text, str) for text in record.values()):
        raise ValueError("evidence with a figure that is not an object of texts")
    known = {name: record[name] for name in ("alt", "svg", "png_base64") if name in record}
    if "alt" not in known:
        raise ValueError("evidence with a figure without alternative text")
    return Figure(**known)
