"""Guesses a window of tokens, checks all of them in one pass of the model, and keeps the law of its samples.

Any causal language model of transformers; ``tokens`` are its input ids::

    from paperworks.sjd import SJDConfig, speculative_jacobi

    config = SJDConfig(window=32)
    out = model.generate(tokens, custom_generate=speculative_jacobi, sjd_config=config, do_sample=True)
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
