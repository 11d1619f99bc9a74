"""What the papers' experiments share.

>>> from paperworks.lab import Lab
>>> lab = Lab("lmul", seeds=3)
>>> [int(lab.rng("operands", seed).integers(100)) for seed in lab.seeds] == [
...     int(lab.rng("operands", seed).integers(100)) for seed in lab.seeds
... ]
True
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
