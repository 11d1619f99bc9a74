"""The script that makes the small model with selective attention that is shipped.

``python -m paperworks.selective_attention.train_selective_lm`` trains `selective_lm.RECIPE` with the memory loss on
this interpreter's standard library, and writes the folder ``weights/selective_lm`` where the model beats an
interpolated Kneser-Ney 5-gram on the same tokens. Started again after a cut, it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from paperworks.lab.train_tiny_lm import train_and_ship

from .language import VARIANTS, built, objective
from .selective_lm import RECIPE, SHIPPED

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare with a 5-gram, and write the folder of the shipped model; see the module's docstring."""
    memory = VARIANTS["memory"]
    train_and_ship(
        RECIPE,
        SHIPPED,
        module="paperworks.selective_attention.train_selective_lm",
        given=arguments,
        model=built(RECIPE, memory),
        objective=objective(memory),
    )


if __name__ == "__main__":
    main()
