"""The report: a static, self-contained site that shows what each paper claims and what was measured.

`write_report` writes it. ``numbers`` says how a number is printed and ``choice`` which run speaks for a claim; who
needs only these, as the command line does, does not load the rest.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .site import write_report as write_report

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"site": ["write_report"]})
