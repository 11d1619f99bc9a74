"""Multiplication by one integer addition (L-Mul), simulated bit for bit and at the speed of matrix products.

A product, and a model whose attention multiplies so; ``model`` is any of transformers' and ``batch`` its input::

    from paperworks import lmul

    lmul.mul(1.5, 1.5)  # 2.125, where the exact product is 2.25
    with lmul.simulate(model, lmul.LMulConfig(mantissa_bits=4)):
        loss = model(**batch).loss
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
