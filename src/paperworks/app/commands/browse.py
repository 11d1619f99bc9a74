"""``paperworks list`` and ``paperworks show``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paperworks.app import store as stores
from paperworks.app.report import export
from paperworks.app.report.choice import Chosen, choose
from paperworks.app.report.export import Runs
from paperworks.app.report.numbers import plain
from paperworks.app.store import Store
from paperworks.core import Claim, Paper, Published, paper, papers
from paperworks.lab import cli, places

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
    about = paper(name)
    published, yours = stores.published(about.slug), Store(places.home()).read_all(about.slug)
    if as_json:
        cli.print_json({**export.heading_json(about), "claims": _claims_json(about, published, yours)})
        return
    cli.show(*_head(about))
    for claim in about.claims:
        cli.show("", *_claim(claim, choose(claim, published), choose(claim, yours)))


def _claims_json(about: Paper, published: Runs, yours: Runs) -> list[dict[str, Any]]:
    return [
        export.claim_json(about, claim, published=choose(claim, published), yours=choose(claim, yours))
        for claim in about.claims
    ]


def _listed(about: Paper, store: Store) -> dict[str, Any]:
    return {
        **export.heading_json(about),
        "claims": len(about.claims),
        "published": stores.published_presets(about.slug),
        "run_here": store.presets(about.slug),
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
