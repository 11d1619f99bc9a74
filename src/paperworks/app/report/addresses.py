"""Where things are in the site. A claim's address depends on its id alone, so that a link to it outlives its text."""

from __future__ import annotations

from paperworks.core import Claim, Paper

INDEX = "index.html"
EXPORT = "report.json"


def paper_page(paper: Paper) -> str:
    """The file of a paper's page."""
    return f"{paper.command}.html"


def comparison_page(paper: Paper) -> str:
    """The file of the page that compares your runs of a paper with the published."""
    return f"compare-{paper.command}.html"


def claim_address(paper: Paper, claim: Claim) -> str:
    """The address of a claim, from any page of the site: ``lmul.html#C5b``."""
    return f"{paper_page(paper)}#{claim.id}"
