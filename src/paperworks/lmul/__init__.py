"""Multiplication by one integer addition (L-Mul), simulated bit for bit and at the speed of matrix products.

>>> from paperworks import lmul
>>> lmul.mul(1.5, 1.5)  # the exact product is 2.25
2.125
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
