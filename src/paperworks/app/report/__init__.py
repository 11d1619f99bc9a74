"""The report: a static, self-contained site that shows what each paper claims and what was measured.

`write_report` writes it; ``numbers`` and ``choice`` say how a number is printed and which run speaks for a claim.
"""

from .site import write_report

__all__ = ["write_report"]
