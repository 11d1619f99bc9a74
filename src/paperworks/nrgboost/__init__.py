"""Generative boosted trees (NRGBoost): one model of a whole table, to predict, sample, impute and score rows with.

``table`` is a pandas, polars or pyarrow frame, or an array, and may have missing cells::

    from paperworks import nrgboost

    model = nrgboost.NRGBoostDensity(early_stopping=True).fit(table)
    rows = model.sample(1000, given={"region": "North"})
    price = model.conditional(table, "price").interval(0.9)
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
