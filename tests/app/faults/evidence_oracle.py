"""What must hold of any bytes that are given to the reader of evidence, whoever made them up.

Used by hypothesis in `test_fuzz_evidence.py`, and by atheris as a program of its own::

    python evidence_oracle.py CORPUS -runs=100000
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["paperworks", "json"]):
        from paperworks.app.evidence import Evidence
        from paperworks.app.store import parse_any, to_bytes
        from paperworks.core import Claim, Paper, at_least
else:
    from paperworks.app.evidence import Evidence
    from paperworks.app.store import parse_any, to_bytes
    from paperworks.core import Claim, Paper, at_least

CLAIMS = tuple(
    Claim(id=i, says="More.", metric="how much", setting="there", source="Table 1", judge=at_least(1, null=0))
    for i in ("C1", "C2", "C3")
)
PAPER = Paper(
    slug="fake",
    arxiv="2410.00001",
    title="A fake",
    authors=("A. Author",),
    field="testing",
    gist="A paper that exists to be run.",
    claims=CLAIMS,
)


def check(data: bytes) -> Evidence | None:
    """The evidence in ``data``, None where it is refused; AssertionError where it is neither read rightly nor refused.

    What is read is written and read again as the same, and its verdicts are those of the numbers as Python's own JSON
    reader finds them.
    """
    try:
        evidence = parse_any(data)
    except ValueError:
        return None
    assert parse_any(to_bytes(evidence)) == evidence, "written and read again it is something else"
    raw = json.loads(data)
    records = {record["claim"]: record for record in raw["results"]}
    assert len(records) == len(raw["results"]), "one of two results for a claim was left out"
    said = {claim: str(verdict) for claim, verdict in evidence.verdicts(PAPER).items()}
    assert said == {claim.id: right_verdict(claim, records.get(claim.id)) for claim in CLAIMS}
    return evidence


def right_verdict(claim: Claim, record: Mapping[str, Any] | None) -> str:
    """The verdict of a claim that holds from 1, with no effect at 0, worked out from a result's record."""
    if record is None or "untested" in record or record["claim_digest"] != claim.digest:
        return "untested"
    if record["low"] >= 1:
        return "holds"
    if record["low"] > 0:
        return "partly"
    return "fails" if record["high"] < 1 else "unclear"


if __name__ == "__main__":
    atheris.Setup(sys.argv, lambda data: check(data) and None)
    atheris.Fuzz()
