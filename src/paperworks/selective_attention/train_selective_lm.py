"""The script that makes the small model with selective attention that is shipped.

``python -m paperworks.selective_attention.train_selective_lm`` trains `selective_lm.RECIPE` with the memory loss on
this interpreter's standard library, and writes the folder ``weights/selective_lm`` where the model beats an
interpolated Kneser-Ney 5-gram on the same tokens. Started again after a cut, it goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from paperworks.lab import tiny_lm
from paperworks.lab.corpus import SPLITS, standard_library
from paperworks.lab.train_tiny_lm import Training, ship

from .language import VARIANTS, built, objective
from .selective_lm import RECIPE, SHIPPED

__all__ = ["main"]

_SHOW_EVERY = 100


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare with a 5-gram, and write the folder of the shipped model; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m paperworks.selective_attention.train_selective_lm", description=main.__doc__
    )
    parser.add_argument(
        "--work", type=Path, default=Path(".paperworks/training/selective_lm"), help="where checkpoints are kept"
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="the folder to write")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    library = standard_library()
    tokenizer = tiny_lm.train_tokenizer(library.texts("train"), RECIPE.vocabulary)
    streams = {split: tiny_lm.token_stream(tokenizer, library.texts(split)) for split in SPLITS}
    memory = VARIANTS["memory"]
    training = Training(
        RECIPE, streams["train"], options.work, model=built(RECIPE, memory), objective=objective(memory)
    )
    for done in training.run():
        if done % _SHOW_EVERY == 0 or done == RECIPE.steps:
            print(f"{done} of {RECIPE.steps} steps: {training.log[-1]}", flush=True)
    ship(options.out, training, tokenizer, library, streams, tiny_lm.token_sizes(tokenizer))


if __name__ == "__main__":
    main()
