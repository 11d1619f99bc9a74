"""Trains a code model to know, at each token of a hole it fills, how much is still to come (horizon-length prediction).

Any causal language model of transformers whose tokenizer has fill-in-the-middle sentinels::

    from paperworks.hlp import FIMCollator, HLPTrainer, infill

    HLPTrainer(model, args, train_dataset=files, data_collator=FIMCollator(tokenizer)).train()
    (filled,) = infill(model, tokenizer, [("def area(r):\\n    return ", "\\n")])
"""

from paperworks.lab.public_api import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
