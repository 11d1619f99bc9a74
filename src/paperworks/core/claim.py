"""A paper and what it claims, each claim with the one judge that decides it."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass

from .checks import require_number, require_string, require_text, require_tuple

_ID = re.compile(r"[A-Za-z][A-Za-z0-9]*([-.][A-Za-z0-9]+)*")
_SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_ARXIV = re.compile(r"[0-9]{4}\.[0-9]{4,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number that the paper prints, e.g. one cell of a table.

    ``value=None`` with a ``note`` stands for a number that could not be verified: the note gives the sentence that
    could. Such a cell is never printed as the paper's number.
    """

    value: float | None
    label: str = ""
    unit: str = ""
    verified: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("label", "unit", "note"):
            require_string(f"a published number's {name}", getattr(self, name))
        if self.value is None:
            if not self.note.strip():
                raise ValueError("a published number without a value needs a note: the sentence that is verified")
            return
        require_number("a published value", self.value)
        if not self.verified:
            raise ValueError(
                f"an unverified number ({self.value}) must not be stored as a value: give value=None and put the "
                "verified sentence into note"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The range in which one measured number confirms a claim, and the number that would mean "no effect".

    Built by `at_least`, `at_most` and `between`. ``null`` is 0 for a paired difference and 1 for a ratio; it lies at
    an edge of the range or outside it, so that one side of it is the side the claim is on.
    """

    low: float = -math.inf
    high: float = math.inf
    null: float | None = None

    def __post_init__(self) -> None:
        if self.low == -math.inf and self.high == math.inf:
            raise ValueError("a judge without bounds confirms everything: use at_least, at_most or between")
        if self.low != -math.inf:
            require_number("a judge's low", self.low)
        if self.high != math.inf:
            require_number("a judge's high", self.high)
        if self.low > self.high:
            raise ValueError(f"a judge's range runs from low to high; [{self.low}, {self.high}] is empty")
        if self.null is None:
            return
        require_number("a judge's null", self.null)
        if self.low < self.null < self.high:
            raise ValueError(
                f"null={self.null} lies inside the range [{self.low}, {self.high}], so no side of it is the claimed "
                "one: put null at an edge of the range or outside it"
            )
        if self.low == self.null == self.high:
            raise ValueError(f"the range and null are the same single number {self.null}: nothing could ever hold")

    def contains(self, low: float, high: float) -> bool:
        """True where the whole interval [low, high] lies in the range."""
        return self.low <= low and high <= self.high

    def excludes(self, low: float, high: float) -> bool:
        """True where the whole interval [low, high] lies outside the range."""
        return high < self.low or low > self.high

    def touches_null(self, low: float, high: float) -> bool:
        """True where "no effect" is one of the values in [low, high]."""
        return self.null is not None and low <= self.null <= high

    def favours(self, low: float, high: float) -> bool:
        """True where the whole interval is strictly on the claimed side of ``null``; False without a null."""
        if self.null is None:
            return False
        return low > self.null if self.null <= self.low else high < self.null


def at_least(bound: float, *, null: float | None = None) -> Judge:
    """The claim holds from ``bound`` upwards: ``at_least(0, null=0)`` reads "better than the baseline"."""
    return Judge(low=bound, null=null)


def at_most(bound: float, *, null: float | None = None) -> Judge:
    """The claim holds up to ``bound``: ``at_most(1, null=1)`` reads "a smaller ratio than the baseline's"."""
    return Judge(high=bound, null=null)


def between(low: float, high: float, *, null: float | None = None) -> Judge:
    """The claim holds from ``low`` to ``high``: "about x" is ``between(x / 1.25, 1.25 * x)``."""
    return Judge(low=low, high=high, null=null)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of a paper, and how one number decides it.

    ``metric`` says how everything measured is reduced to that number, fixed before any run. A claim that nobody could
    measure here has no judge and says in ``untestable`` why.
    """

    id: str
    says: str
    metric: str
    setting: str
    source: str
    published: tuple[Published, ...] = ()
    judge: Judge | None = None
    untestable: str = ""

    def __post_init__(self) -> None:
        require_string("a claim's id", self.id)
        if not _ID.fullmatch(self.id):
            raise ValueError(
                f"a claim's id is a letter, then letters and digits, like 'C1' or 'C3-dot'; not {self.id!r}"
            )
        for name in ("says", "metric", "setting", "source"):
            require_text(f"claim {self.id}: {name}", getattr(self, name))
        require_tuple(f"claim {self.id}: published", self.published, Published)
        require_string(f"claim {self.id}: untestable", self.untestable)
        if self.judge is not None and not isinstance(self.judge, Judge):
            raise ValueError(
                f"claim {self.id}: judge is built by at_least, at_most or between; {self.judge!r} is no Judge"
            )
        if (self.judge is None) != bool(self.untestable.strip()):
            raise ValueError(
                f"claim {self.id} needs exactly one of judge= (how it is decided) and untestable= (why not)"
            )

    @property
    def digest(self) -> str:
        """Hex sha256 of what a verdict depends on: the id, the metric and the judge."""
        judge = self.judge
        bounds = None if judge is None else [_canonical(bound) for bound in (judge.low, judge.high, judge.null)]
        return hashlib.sha256(json.dumps([self.id, self.metric, bounds]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper: who wrote it, what it is about in one sentence, and what it claims."""

    slug: str
    arxiv: str
    title: str
    authors: tuple[str, ...]
    field: str
    gist: str
    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        for name in ("slug", "arxiv"):
            require_string(f"a paper's {name}", getattr(self, name))
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"a slug is lower-case words joined by '_', like 'nl_eye'; not {self.slug!r}")
        if not _ARXIV.fullmatch(self.arxiv):
            raise ValueError(f"{self.slug}: an arXiv id looks like '2410.00907', not {self.arxiv!r}")
        for name in ("title", "field", "gist"):
            require_text(f"{self.slug}: {name}", getattr(self, name))
        require_tuple(f"{self.slug}: authors", self.authors, str)
        require_tuple(f"{self.slug}: claims", self.claims, Claim)
        if not self.authors or not all(author.strip() for author in self.authors):
            raise ValueError(f"{self.slug}: name at least one author, and none of them blank")
        if not self.claims:
            raise ValueError(f"{self.slug}: a paper claims something; give at least one Claim")
        ids = [claim.id for claim in self.claims]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"{self.slug}: claim ids must differ, but {', '.join(twice)} stands there twice")

    @property
    def command(self) -> str:
        """The slug as the command line spells it: with dashes."""
        return self.slug.replace("_", "-")

    @property
    def url(self) -> str:
        """The paper's page on arXiv."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def claim(self, claim_id: str) -> Claim:
        """The claim with that id; KeyError with the ids that exist otherwise."""
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise KeyError(f"{self.slug} has no claim {claim_id!r}; it has {', '.join(c.id for c in self.claims)}")


def _canonical(bound: float | None) -> str:
    """Equal bounds, equal text: 0, 0.0, -0.0 and a NumPy zero are one number to a judge."""
    return "None" if bound is None else repr(float(bound) + 0.0)
