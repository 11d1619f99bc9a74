"""Lets each token vote, through one head's logits, on which earlier tokens the layer no longer needs:
better perplexity without parameters, and a key-value cache that can drop what was voted out."""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
