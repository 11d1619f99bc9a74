"""A day of sixteen invented papers with 130 claims: as many as the report is made for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paperworks.app.evidence import Evidence, Figure
from paperworks.app.report import write_report
from paperworks.core import Claim, Measurement, Paper, Published, Untested, at_least, at_most, between

SUBJECTS = (
    ("attention", "efficient attention", "Attend to Less: Tokens That Ask Not to Be Seen Again"),
    ("boxes", "energy-based trees", "A Boosted Density of Boxes"),
    ("captions", "video understanding", "Merging Tokens for Long Descriptions of Long Videos"),
    ("choices", "evaluation of models", "Many Choices, Little Understanding: Questions About Code"),
    ("decoding", "image generation", "Speculating on Pixels: Parallel Decoding of Autoregressive Image Models"),
    ("gloves", "robot manipulation", "From a Sketch to a Grasp: Scaling Simulated Demonstrations by Language"),
    ("hidden", "sequence models", "Élan: State Spaces for Medical Images of Every Size"),
    ("ladders", "reinforcement learning", "Ladders of Hypotheses"),
    ("markets", "computational finance", "A Mixture of Groups for Portfolios That Trade Every Day"),
    ("networks", "network architectures", "Perceptrons and Splines, Mixed by Experts"),
    ("parts", "robot planning", "Assembling From a Canvas of Moves"),
    ("routes", "image generation", "Textures Without Seams for Meshes With Many Views"),
    ("stories", "multimodal evaluation", "What Happened in Between? Visual Abduction for Machines"),
    ("sums", "efficient arithmetic", "Sums Are All You Need"),
    ("surveys", "language models", "One Adapter, Many Lengths: Elastic Language Models Without Retraining"),
    ("tutors", "education", "A Copilot for Tutors: a Trial in Live Lessons of Mathematics With Nine Hundred Tutors"),
)  # fmt: skip
SAYS = (
    "It is {more} than the baseline on held-out data.",
    "At half the memory the loss in accuracy stays below one point.",
    "Training takes a third of the time, and the result varies less between seeds than that of the usual method.",
    "The gain grows with the length of the input.",
    "Without its second term the method is no better than chance.",
    "A simulated jury prefers it in two cases of three.",
    "It needs no tuning: one setting serves every data set.",
    "Scaling to eight billion parameters keeps the order of the methods.",
)
SETTINGS = (
    "ImageNet, 256 x 256",
    "six public benchmarks",
    "a trial in 2024",
    "Llama on C4",
    "twelve tasks in a simulator",
)
JUDGES = (at_least(0, null=0), at_most(1, null=1), between(0.8, 1.25), at_least(2, null=1), at_most(0.07))
MACHINE = {"python": "3.11.9", "platform": "Linux-6.1-x86_64", "cpu": "Example CPU", "cores": 2, "gpu": None,
           "threads": 2, "device": "cpu"}  # fmt: skip
CURVE = " ".join(f"M{x} {x * x % 197}h3" for x in range(480))
SVG = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="480" height="200"><path d="{CURVE}" stroke="currentColor"/></svg>'
)


def _papers() -> dict[str, Paper]:
    """The sixteen, by slug."""
    return {f"fake_{name}": _paper(at, *subject) for at, subject in enumerate(SUBJECTS) for name in subject[:1]}


def _run(paper: Paper, preset: str = "full") -> Evidence:
    """A complete run of ``paper``: every fifth claim untested, every seventh measured on a stand-in."""
    run = Evidence(
        slug=paper.slug, preset=preset, sizes={"seeds": 5, "items": 4000, "preset": preset}, seeds=5,
        source={"paper": "0f" * 32, "house": "a1" * 32}, commit="221cf07b9f0a4c1d8e1f",
        started="2026-11-20T08:00:00+00:00", finished="2026-11-20T08:20:00+00:00", state="complete", error=None,
        environment=MACHINE | {"packages": {"numpy": "2.3.1", "torch": "2.13.0"}}, cost={"wall_s": 1200.0},
        figures={"curve": Figure(alt="The gain by length", svg=SVG)},
    )  # fmt: skip
    for at, claim in enumerate(paper.claims):
        run = run.with_result(claim, _result(claim, at + len(paper.slug), preset))
    return run


def _other_run(paper: Paper) -> Evidence:
    """Another run of ``paper``, cut off before its last claim: every third number has moved, by noise or by more."""
    run = _run(paper, "quick")
    results = {}
    for at, (name, result) in enumerate(list(run.results.items())[:-1]):
        moved = result.of
        if isinstance(moved, Measurement) and at % 3 == 1:
            step = (0.05 if at % 2 else 3) * (moved.high - moved.low + 0.01)
            moved = replace(moved, value=moved.value + step, low=moved.low + step, high=moved.high + step)
        results[name] = replace(result, of=moved)
    machine = MACHINE | {"cores": 8, "packages": {"numpy": "2.4.6", "torch": "2.13.0"}}
    return replace(run, results=results, state="partial", finished=None, environment=machine)


def _paper(at: int, name: str, field: str, title: str) -> Paper:
    count = 8 + (at % 8 == 3) - (at % 8 == 5) + (at < 2)
    return Paper(
        slug=f"fake_{name}", arxiv=f"2410.{at + 1:05d}", title=title, authors=("Ada Example", "Bo Sample"), field=field,
        gist=f"Asks what {name} are good for, and answers with a measurement.",
        claims=tuple(_claim(at, number) for number in range(1, count + 1)),
    )  # fmt: skip


def _claim(at: int, number: int) -> Claim:
    more = ("faster", "more precise", "calmer")[at % 3]
    return Claim(
        id=f"C{number}", says=SAYS[(at + number) % len(SAYS)].format(more=more), metric="ours over the baseline's",
        setting=SETTINGS[(at * 3 + number) % len(SETTINGS)], source=f"Section 4, Table {number}",
        published=(Published(value=1.5 + number, label="accuracy", unit="%"),) if number % 2 else (),
        judge=JUDGES[(at + number) % len(JUDGES)],
    )  # fmt: skip


def _result(claim: Claim, at: int, preset: str) -> Measurement | Untested:
    if at % 5 == 0:
        return Untested(claim=claim.id, reason="needs a GPU")
    value, half = ((0.4, 0.05), (0.96, 0.03), (1.1, 0.13), (2.4, 0.2), (-0.2, 0.3), (1.5, 0.3))[at % 6]
    kind = "exact" if at % 11 == 3 else ("seeds", "items", "seeds+items")[at % 3]
    half = 0 if kind == "exact" else half
    return Measurement(
        claim=claim.id, value=value, low=value - half, high=value + half, interval=kind, n=5,
        unit="points" if at % 4 == 0 else "", scale="stand-in" if at % 7 == 0 else "smaller",
        setting=f"a model of 3 million parameters, {preset} run",
        rows=tuple({"length": 2**k, "gain": value / (k + 1)} for k in range(6)), figures=("curve",),
    )  # fmt: skip


@pytest.fixture(scope="session")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of that day; three papers in four were run here too."""
    of = _papers()
    published = {slug: {"full": _run(paper), "quick": _run(paper, "quick")} for slug, paper in of.items()}
    local = {slug: {"quick": _other_run(paper)} for at, (slug, paper) in enumerate(of.items()) if at % 4 != 2}
    return write_report(tmp_path_factory.mktemp("sixteen"), local=local, published=published, of=of).parent
