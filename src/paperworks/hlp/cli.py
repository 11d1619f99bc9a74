"""``paperworks hlp``: fill a hole in a source file, and measure how well a model fills many."""

from __future__ import annotations

from paperworks.lab import cli

from .eval_command import evaluate
from .infill_command import infill

app = cli.commands("Horizon-length prediction: fill-in-the-middle models that know how much is still to come.")
app.command("infill")(infill)
app.command("eval")(evaluate)
