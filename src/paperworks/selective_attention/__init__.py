"""Each token votes, through one head's logits, on which earlier tokens a layer no longer needs (selective attention).

Any decoder-only model of transformers, with a cache that drops what was voted out; ``tokens`` are its input ids::

    from paperworks.selective_attention import SelectiveCache, hf

    model = hf.enable(model, budgets=64)
    continued = model.generate(tokens, past_key_values=SelectiveCache(model))
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
