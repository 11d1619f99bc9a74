"""Run Python that nobody vouches for, in a child that can harm nothing, or not at all.

>>> from paperworks.lab import sandbox
>>> sandbox.run("print('hello')", value="6 * 7").value
42
>>> sandbox.check("def double(x): return x + x", "double", [sandbox.Case(args=(4,), expected=8)]).passed
True
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
