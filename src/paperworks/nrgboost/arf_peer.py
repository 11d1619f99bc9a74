"""Fits adversarial random forests to a table and draws from them; run by the interpreter of an environment with arfpy.

``python arf_peer.py TABLE.csv DRAWN.csv SETTINGS``. The settings are a JSON text: ``categories`` (columns), ``count``
(rows to draw), ``threads`` and ``seed``. What is drawn goes to a file; the seconds of fitting and drawing are printed.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd

__all__ = ["main"]

_TREES = 30  # arfpy's own choice


def main(table_file: str, drawn_file: str, settings_text: str) -> None:
    """Fit, draw and print the seconds."""
    from arfpy.arf import arf  # type: ignore[import-not-found]

    settings = json.loads(settings_text)
    table = pd.read_csv(table_file)
    table = table.astype(dict.fromkeys(settings["categories"], str))
    np.random.seed(settings["seed"])  # noqa: NPY002  (arfpy draws from that state)
    begin = time.perf_counter()
    forest = arf(table, num_trees=_TREES, verbose=False, random_state=settings["seed"], n_jobs=settings["threads"])
    forest.forde()
    drawn = forest.forge(settings["count"])
    print(time.perf_counter() - begin)
    drawn.to_csv(drawn_file, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
