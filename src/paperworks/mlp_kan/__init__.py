"""Mixes MLPs and splines as experts: fits formulas with B-spline layers that are exact, fast and
readable::

    from paperworks.mlp_kan import KAN, KANLinear, MLPKAN

    network = torch.nn.Sequential(KANLinear(4, 16), KANLinear(16, 1))   # a learned function on every edge
    feed_forward = MLPKAN(48, hidden=96)                                # half MLPs, half KANs, two experts a token
    feed_forward(tokens)                                                # [B, N, 48] to [B, N, 48]
    KAN((4, 5, 1)).symbolic()                                           # a sympy expression, with its R²
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
