"""A day of two invented papers whose evidence has everything that a report has to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from paperworks.app.evidence import Evidence, Figure
from paperworks.app.report import write_report
from paperworks.core import Claim, Measurement, Paper, Published, Untested, at_least, at_most, between

HOSTILE = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="480" height="200" font-family="sans-serif">
<g stroke="var(--grid)">{grid}</g><polyline fill="none" stroke="#0072b2" stroke-width="2" points="{points}"/>
<text x="40" y="190" fill="currentColor" font-size="13">mantissa bits kept</text></svg>""".format(
    grid="".join(f'<line x1="40" x2="460" y1="{y}" y2="{y}"/>' for y in range(20, 180, 40)),
    points=" ".join(f"{40 + 60 * k},{20 + 150 / (k + 1):.0f}" for k in range(8)),
)


def claim(claim_id: str, says: str, **more: Any) -> Claim:
    settings: dict[str, Any] = {"metric": "ratio of root-mean-square errors, ours over the baseline's"}
    settings |= {"setting": "8 billion parameters, six public benchmarks", "source": "Section 3, Table 2"}
    return Claim(id=claim_id, says=says, **(settings | more))


ADDER = Paper(
    slug="fake_adder",
    arxiv="2410.00001",
    title="Sums Are Enough: Trading Multipliers for Adders in Very Large Language Models",
    authors=("Ada Example", "Bo Sample"),
    field="efficient arithmetic",
    gist="Replaces every multiplication by one integer addition, and asks what the model loses by it.",
    claims=(
        claim(
            "C1",
            "Four bits are about as precise as the eight-bit format.",
            published=(Published(value=None, label="expected error", note='"comparable precision"'),),
            judge=between(0.8, 1.25),
        ),
        claim(
            "C2",
            "It saves 95 % of the energy of elementwise products.",
            published=(Published(value=95.0, label="elementwise products", unit="%"),),
            judge=at_least(95, null=0),
        ),
        claim(
            "C3",
            "Three bits beat the other eight-bit format.",
            published=(
                Published(value=52.92, label="Mistral", unit="%"),
                Published(value=50.19, label="the other format", unit="%"),
            ),
            judge=at_most(1, null=1),
        ),
        claim("C4", "Attention loses next to nothing in accuracy.", judge=at_most(0, null=0)),
        claim("C5", "A gate-level count halves.", untestable="the paper prints no netlist to count"),
        claim("C6-market", "Traders who use it earn more in a market.", judge=at_least(0, null=0)),
        claim("C7", "Fine-tuning with additions alone is as good.", judge=between(0.8, 1.25)),
        claim("C8", "At eight billion parameters the loss is below 0.07 %.", judge=at_most(0.07)),
    ),
)
QUIET = Paper(
    slug="fake_quiet",
    arxiv="2410.00002",
    title="Quiet Boxes",
    authors=("Cy Placeholder",),
    field="energy-based trees",
    gist="Samples from a boosted density of boxes.",
    claims=(
        claim("C1", "Samples are closer to the data than a neural network's.", judge=at_least(1, null=1)),
        claim("C2", "It trains in minutes.", judge=at_most(600)),
    ),
)


def measurement(claim_id: str, value: float, low: float, high: float, **more: Any) -> Measurement:
    settings: dict[str, Any] = {
        "interval": "seeds",
        "n": 5,
        "scale": "smaller",
        "setting": "digits, 697 held-out images",
    }
    return Measurement(claim=claim_id, value=value, low=low, high=high, **(settings | more))


def evidence(paper: Paper, preset: str, *results: Measurement | Untested, **more: Any) -> Evidence:
    settings: dict[str, Any] = {
        "sizes": {"seeds": 5, "images": 697, "bits": [2, 3, 4, 7]},
        "seeds": 5,
        "source": {"paper": "0f" * 32, "house": "a1" * 32},
        "commit": "221cf07b9f0a4c1d8e1f",
        "started": "2026-11-20T08:00:00+00:00",
        "finished": "2026-11-20T08:01:40+00:00",
        "state": "complete",
        "error": None,
        "environment": {
            "python": "3.11.9",
            "platform": "Linux-6.1-x86_64",
            "cpu": "Example CPU @ 2.60GHz",
            "cores": 2,
            "gpu": None,
            "threads": 2,
            "device": "cpu",
            "packages": {"torch": "2.13.0", "numpy": "2.3.1"},
        },
        "cost": {"wall_s": 100.4, "cpu_s": 171.2, "peak_mb": 812.0},
    }
    run = Evidence(slug=paper.slug, preset=preset, **(settings | more))
    for result in results:
        run = run.with_result(paper.claim(result.claim), result)
    return run


def stale(run: Evidence, claim_id: str, paper: Paper) -> Evidence:
    """``run`` with a result that was measured under another judge of that claim."""
    old = Claim(id=claim_id, says="as before", metric="as before", setting="s", source="s", judge=at_most(3))
    return run.with_result(old, measurement(claim_id, 1.02, 0.97, 1.07))


ROWS = tuple(
    {"operands": name, "bits": bits, "rms_error": 0.0846 / bits**0.7, "bias": -0.0385 + 0.01 * bits, "e5m2": None}
    for name in ("uniform", "Benford", "weights")
    for bits in (2, 3, 4, 7, 23)
)


@dataclass(frozen=True)
class Day:
    """The papers, and what `write_report` is given."""

    of: Mapping[str, Paper]
    published: Mapping[str, Mapping[str, Evidence]]
    local: Mapping[str, Mapping[str, Evidence]] = field(default_factory=dict)


@pytest.fixture(scope="session")
def day() -> Day:
    full = evidence(
        ADDER,
        "full",
        measurement("C1", 0.9944, 0.9931, 0.9957, rows=ROWS, figures=("error",), scale="same"),
        measurement("C2", 70.0, 70.0, 70.0, interval="exact", n=1, scale="same", unit="%", note="Arithmetic only."),
        measurement("C3", 1.234, 1.221, 1.247, baseline=0.0719, figures=("error",)),
        measurement("C4", 0.003, -0.012, 0.018, unit="nats"),
        Untested(claim="C5", reason="the paper prints no netlist to count"),
        measurement("C6-market", 0.31, 0.12, 0.50, scale="stand-in", setting="a simulated market of 40 traders"),
        measurement("C8", 0.0359, 0.0357, 0.0361, unit="%", n=5, interval="seeds+items"),
        figures={"error": Figure(alt="Error falls as more mantissa bits are kept", svg=SVG)},
    )
    quick = evidence(
        ADDER,
        "quick",
        measurement("C1", 0.991, 0.985, 0.997, rows=ROWS[:4], figures=("error", "strange"), note=HOSTILE),
        measurement("C2", 95.5, 95.5, 95.5, interval="exact", n=1, scale="same", unit="%"),
        measurement("C3", 0.97, 0.94, 0.9996, n=3),
        measurement("C4", -0.02, -0.03, -0.01, unit="nats"),
        measurement("C6-market", -0.2, -0.4, -0.1, scale="stand-in", setting="a simulated market of 40 traders"),
        Untested(claim="C8", reason="needs --preset full"),
        figures={
            "error": Figure(alt="Error falls as more mantissa bits are kept", svg=SVG),
            "strange": Figure(
                alt=f"A strange figure {HOSTILE}",
                svg=SVG.replace(
                    "</svg>", "<script>top.owned = 1</script><image href='https://example.org/x.png'/></svg>"
                ),
            ),
        },
    )
    bench = evidence(
        ADDER,
        "bench",
        bench=(
            {
                "case": "512 x 512, k=4",
                "ours_s": 0.0123,
                "peer": "torch.matmul",
                "peer_s": 0.0061,
                "ratio": 2.02,
                "low": 1.93,
                "high": 2.11,
                "limit_s": 0.0052,
                "target": 2.5,
            },
            {
                "case": "elementwise",
                "ours_s": 4.1e-6,
                "peer": "numpy",
                "peer_s": 1.1e-6,
                "ratio": 3.73,
                "low": 3.5,
                "high": 3.9,
                "limit_s": None,
                "target": 3.0,
            },
            {"case": "from elsewhere", "ratio": "fast"},
        ),
    )
    quiet = evidence(
        QUIET,
        "quick",
        measurement("C1", 1.4, 0.8, 2.0),
        state="failed",
        error=f"MemoryError: the run outgrew its limit of 4 GB {HOSTILE}",
        finished=None,
    )
    return Day(
        of={"fake_adder": ADDER, "fake_quiet": QUIET},
        published={"fake_adder": {"full": full, "bench": bench}},
        local={
            "fake_adder": {"quick": stale(quick, "C7", ADDER), "smoke": evidence(ADDER, "smoke")},
            "fake_quiet": {"quick": quiet},
        },
    )


@pytest.fixture(scope="session")
def site(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of that day."""
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder, local=day.local, published=day.published, of=day.of).parent


SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def open_page(chromium: Browser, site: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page of the report; what goes wrong in it, and what it asks of anybody else, fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(name: str, size: str = "desk", folder: Path = site, **settings: Any) -> Page:
        context = chromium.new_context(viewport=SIZES[size], **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
        page.goto(f"{folder.as_uri()}/{name}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong
