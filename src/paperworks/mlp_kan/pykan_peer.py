"""Times pykan in its speed mode beside our layer, in a process of its own: pykan changes global state when imported.

``python -m paperworks.mlp_kan.pykan_peer PACKAGES ROWS WIDTH TARGET`` prints the row of a bench as JSON. PACKAGES is
the folder that has pykan.
"""

from __future__ import annotations

import dataclasses
import json
import sys

import torch

from paperworks.lab import timing

from .layers import KANLinear
from .peers import beside

__all__ = ["PYKAN"]

PYKAN = "pykan 0.2.8, speed mode"


def main(packages: str, rows: int, width: int, target: float) -> None:
    """Prints the row."""
    sys.path.append(packages)  # last, so that torch and all else are ours
    from kan import KAN  # type: ignore[import-not-found]

    with timing.threads(1):
        theirs = KAN(width=[width, width], grid=5, k=3, seed=0, auto_save=False).speed()
        torch.manual_seed(0)
        (row,) = beside(KANLinear(width, width), {PYKAN: theirs}, rows=rows, targets={PYKAN: target})
    print(json.dumps(dataclasses.asdict(row)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
