"""Compiled code is kept on the disk: the official package compiles anew in every process (section 2.9, point 8)."""

import subprocess
import sys

SCRIPT = """
import numpy as np
from numba.core import event
from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.density_forest import ForestConfig, fit_forest
from paperworks.nrgboost.domain import Domain

class Count(event.Listener):
    compiled = []
    def on_start(self, event): self.compiled.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event): pass

event.register("numba:compile", Count())
domain = Domain((4, 4, 4), (False, True, False))
rows = np.random.default_rng(0).integers(0, 4, (50, 3)).astype(np.uint8)
model = boost(rows, domain, BoostingConfig(n_rounds=3, max_leaves=4, n_model_samples=100), seed=0).model
model.gibbs(rows, 1, seed=0, average_column=0), model.conditional_logits(rows, 0), model.energy(rows)
model.log_partition(10), list(model.staged_conditional_logits(rows, 1))
forest = fit_forest(rows, domain, ForestConfig(n_trees=2, max_leaves=4), seed=0)
forest.sample(5, 0), forest.log_density(rows), forest.conditional_logits(rows, 0)
print(Count.compiled)
"""


def test_a_second_process_compiles_nothing():
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
