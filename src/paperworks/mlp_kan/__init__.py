"""Mixes MLPs and splines as experts: fits formulas with B-spline layers that are exact, fast and
readable."""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
