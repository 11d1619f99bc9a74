"""Everything the report knows as JSON: ``report.json``, whose form docs/report.md describes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import paperworks
from paperworks.app.evidence import Evidence
from paperworks.core import Claim, Judge, Measurement, Paper, to_record, verdict

from . import words
from .addresses import claim_address, paper_page
from .choice import Chosen, choose
from .comparison import ClaimChange, Comparison, Side, compare
from .methods import methods

SCHEMA = 1
"""The version of the form. It grows by one where a field is taken away or changes its meaning, not where one is new."""

Runs = Mapping[str, Evidence]
Held = Mapping[str, Runs]


def export(papers: Mapping[str, Paper], *, published: Held, local: Held) -> dict[str, Any]:
    """The whole report: every paper, claim, run and verdict. ``published`` and ``local`` map slug -> preset -> run."""
    return {
        "schema": SCHEMA,
        "paperworks": paperworks.__version__,
        "papers": [
            paper_json(paper, published=published.get(slug, {}), local=local.get(slug, {}))
            for slug, paper in papers.items()
        ],
    }


def paper_json(paper: Paper, *, published: Runs, local: Runs) -> dict[str, Any]:
    """One paper with its claims, its runs of both origins, and how yours compare with the published."""
    compared = compare(paper, Side(name="published", runs=published), Side(name="yours", runs=local))
    return {
        **heading_json(paper),
        "methods": list(methods(paper.slug)),
        "page": paper_page(paper),
        "claims": [
            claim_json(paper, claim, published=choose(claim, published), yours=choose(claim, local))
            for claim in paper.claims
        ],
        "runs": {
            origin: {preset: run_json(paper, run) for preset, run in runs.items()}
            for origin, runs in (("published", published), ("yours", local))
        },
        "comparison": comparison_json(compared),
    }


def heading_json(paper: Paper) -> dict[str, Any]:
    """What a paper is, without its claims."""
    return {
        "slug": paper.slug,
        "command": paper.command,
        "arxiv": paper.arxiv,
        "url": paper.url,
        "title": paper.title,
        "authors": list(paper.authors),
        "field": paper.field,
        "gist": paper.gist,
    }


def claim_json(paper: Paper, claim: Claim, *, published: Chosen, yours: Chosen) -> dict[str, Any]:
    """A claim: what it says, how it is judged, the paper's numbers, and what speaks for it on either side."""
    return {
        "id": claim.id,
        "link": claim_address(paper, claim),
        "says": claim.says,
        "metric": claim.metric,
        "setting": claim.setting,
        "source": claim.source,
        "digest": claim.digest,
        "judge": _judge_json(claim.judge),
        "judged_by": words.judged_by(claim),
        "paper": [
            {"value": p.value, "label": p.label, "unit": p.unit, "verified": p.verified, "note": p.note}
            for p in claim.published
        ],
        "published": chosen_json(published),
        "yours": chosen_json(yours),
    }


def chosen_json(chosen: Chosen) -> dict[str, Any]:
    """What speaks for a claim: the verdict, the run it is from, and the number or the reason why there is none."""
    measurement = chosen.measurement
    return {
        "verdict": str(chosen.verdict),
        "stand_in": chosen.stand_in,
        "preset": chosen.preset,
        "reason": chosen.reason or None,
        "measurement": to_record(measurement) if measurement else None,
    }


def run_json(paper: Paper, run: Evidence) -> dict[str, Any]:
    """A run's evidence with the verdict on each result; of its figures only what they show, in words."""
    return {
        **run.to_json(),
        "results": [
            {**to_record(result.of), "claim_digest": result.claim_digest, "verdict": _verdict(paper, run, name)}
            for name, result in run.results.items()
        ],
        "figures": {name: {"alt": figure.alt} for name, figure in run.figures.items()},
    }


def comparison_json(compared: Comparison) -> dict[str, Any]:
    """Two sides of a paper: claim by claim what changed, and what else differs between the runs."""
    return {
        "first": compared.first.name,
        "second": compared.second.name,
        "summary": words.summary(compared).replace("\u00a0", " "),
        "claims": [change_json(one) for one in compared.claims],
        "runs": [
            {
                "first": _run_heading(pair.first),
                "second": _run_heading(pair.second),
                "differing": [
                    {"kind": one.kind, "name": one.name, "first": one.first, "second": one.second}
                    for one in pair.differing
                ],
            }
            for pair in compared.runs
        ],
        "gone": list(compared.gone),
    }


def change_json(one: ClaimChange) -> dict[str, Any]:
    """What happened to one claim between two sides."""
    apart = one.difference
    return {
        "id": one.claim.id,
        "change": str(one.change),
        "first": _end_json(one.first),
        "second": _end_json(one.second),
        "difference": None if apart is None else {"value": apart.value, "low": apart.low, "high": apart.high},
        "noise": one.noise or None,
        "because": one.because or None,
        "caveats": list(one.caveats),
    }


def _run_heading(run: Evidence) -> dict[str, Any]:
    return {"preset": run.preset, "state": run.state, "started": run.started}


def _end_json(chosen: Chosen) -> dict[str, Any]:
    number = chosen.result if isinstance(chosen.result, Measurement) else None
    bounds: Sequence[str] = ("value", "low", "high", "interval", "n", "scale", "unit")
    return {
        "verdict": str(chosen.verdict),
        "preset": chosen.preset,
        **{name: getattr(number, name) if number else None for name in bounds},
    }


def _judge_json(judge: Judge | None) -> dict[str, float | None] | None:
    """The judge's range; None stands for an end that is open, which JSON has no number for."""
    if judge is None:
        return None
    return {
        "low": None if math.isinf(judge.low) else judge.low,
        "high": None if math.isinf(judge.high) else judge.high,
        "null": judge.null,
    }


def _verdict(paper: Paper, run: Evidence, claim_id: str) -> str | None:
    """The verdict of today; None where the paper has no such claim any more, "untested" where it is judged anew."""
    known = next((claim for claim in paper.claims if claim.id == claim_id), None)
    return None if known is None else str(verdict(known, run.of(known)))
