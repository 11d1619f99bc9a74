"""What a paper is: its claims, what a run measured, and the verdict that follows. Standard library only.

>>> from paperworks.core import Claim, Measurement, at_most, verdict
>>> claim = Claim(id="C2", says="3-bit L-Mul beats e5m2", metric="RMS error, L-Mul / e5m2", setting="theory",
...               source="Sec. 2", judge=at_most(1, null=1))
>>> result = Measurement(claim="C2", value=0.83, low=0.82, high=0.84, interval="seeds", n=5, scale="same",
...                      setting="digits, 5 seeds")
>>> verdict(claim, result)
<Verdict.HOLDS: 'holds'>
"""

from .claim import Claim, Judge, Paper, Published, at_least, at_most, between
from .errors import MissingExtra, UserError
from .measurement import Interval, Measurement, Scale, Untested, from_record, to_record
from .registry import broken, paper, papers, slug_of
from .verdict import Verdict, verdict

__all__ = [
    "Claim",
    "Interval",
    "Judge",
    "Measurement",
    "MissingExtra",
    "Paper",
    "Published",
    "Scale",
    "Untested",
    "UserError",
    "Verdict",
    "at_least",
    "at_most",
    "between",
    "broken",
    "from_record",
    "paper",
    "papers",
    "slug_of",
    "to_record",
    "verdict",
]
