"""``paperworks list`` and ``paperworks show``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paperworks.app import store as stores
from paperworks.app.store import Store
from paperworks.core import Claim, Paper, Published, paper, papers, to_record
from paperworks.lab import cli, places

if TYPE_CHECKING:
    from paperworks.app.report.choice import Chosen

_SHOWN_AUTHORS = 3


def print_list(*, as_json: bool) -> None:
    """Print every paper: its name, what it is, and at which presets there is evidence."""
    store = Store(places.home())
    listed = [_listed(about, store) for about in papers().values()]
    if as_json:
        cli.print_json(listed)
        return
    rows = [
        (
            Text(row["command"], style="bold"),
            str(row["claims"]),
            row["title"],
            ", ".join(row["published"]) or "–",
            ", ".join(row["run_here"]) or "–",
        )
        for row in listed
    ]
    words = ("title", "published", "run here")
    cli.show(cli.table(("paper", "claims", *words), rows, folded=words))


def print_paper(name: str, *, as_json: bool) -> None:
    """Print one paper with its claims: the paper's number, the published result, and this machine's."""
    from paperworks.app.report.choice import choose

    about = paper(name)
    published, yours = stores.published(about.slug), Store(places.home()).read_all(about.slug)
    chosen = {claim.id: (choose(claim, published), choose(claim, yours)) for claim in about.claims}
    if as_json:
        cli.print_json(_paper_json(about, chosen))
        return
    cli.show(*_head(about))
    for claim in about.claims:
        cli.show("", *_claim(claim, *chosen[claim.id]))


def _listed(about: Paper, store: Store) -> dict[str, Any]:
    return {
        "slug": about.slug,
        "command": about.command,
        "arxiv": about.arxiv,
        "title": about.title,
        "field": about.field,
        "gist": about.gist,
        "claims": len(about.claims),
        "published": stores.published_presets(about.slug),
        "run_here": store.presets(about.slug),
    }


def _paper_json(about: Paper, chosen: Mapping[str, tuple[Chosen, Chosen]]) -> dict[str, Any]:
    return {
        "slug": about.slug,
        "command": about.command,
        "arxiv": about.arxiv,
        "url": about.url,
        "title": about.title,
        "authors": list(about.authors),
        "field": about.field,
        "gist": about.gist,
        "claims": [_claim_json(claim, *chosen[claim.id]) for claim in about.claims],
    }


def _claim_json(claim: Claim, published: Chosen, yours: Chosen) -> dict[str, Any]:
    return {
        "id": claim.id,
        "says": claim.says,
        "metric": claim.metric,
        "setting": claim.setting,
        "source": claim.source,
        "paper": [{"value": p.value, "label": p.label, "unit": p.unit, "note": p.note} for p in claim.published],
        "published": _chosen_json(published),
        "yours": _chosen_json(yours),
    }


def _chosen_json(chosen: Chosen) -> dict[str, Any]:
    measurement = chosen.measurement
    return {
        "verdict": str(chosen.verdict),
        "preset": chosen.preset,
        "reason": chosen.reason or None,
        "measurement": to_record(measurement) if measurement else None,
    }


def _head(about: Paper) -> tuple[RenderableType, ...]:
    authors = ", ".join(about.authors[:_SHOWN_AUTHORS]) + (" et al." if len(about.authors) > _SHOWN_AUTHORS else "")
    origin = Text(f"{authors} · {about.field} · {about.url}", style="dim")
    return Text(about.title, style="bold"), origin, "", about.gist


def _claim(claim: Claim, published: Chosen, yours: Chosen) -> tuple[RenderableType, ...]:
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True, style="dim")
    lines.add_column()
    lines.add_row("paper", ", ".join(filter(None, (_printed(claim.published), claim.source))))
    lines.add_row("published", _found(claim, published))
    lines.add_row("yours", _found(claim, yours))
    head = Text.assemble((f"{claim.id}  ", "bold"), claim.says)
    return head, Padding(lines, (0, 0, 0, len(claim.id) + 2), expand=False)


def _printed(published: Iterable[Published]) -> str:
    from paperworks.app.report.numbers import plain

    texts = []
    for number in published:
        value = number.note if number.value is None else plain(number.value, number.unit)
        texts.append(f"{number.label}: {value}" if number.label else value)
    return "; ".join(texts)


def _found(claim: Claim, chosen: Chosen) -> Text:
    from paperworks.app.console import result_text, verdict_text

    if chosen.result is None and not claim.untestable:
        return Text("–  not run yet", style="dim")
    text = verdict_text(chosen.verdict, stand_in=chosen.stand_in)
    if (result := chosen.measurement) is None:
        return text.append(f"  {chosen.reason}")
    text.append(f"  {result_text(claim, result)}", style="bold")
    return text.append(f"  {result.setting} ({chosen.preset})", style="not bold default")
