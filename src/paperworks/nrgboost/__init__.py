"""Generative boosted trees (NRGBoost): one model of a whole table, to predict, sample, impute and score rows with."""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
