"""The experiment gives every claim a result."""

from __future__ import annotations

import pytest

from paperworks.core import paper
from paperworks.lab import Lab
from paperworks.tutor_copilot import experiment


@pytest.mark.parametrize("preset", sorted(experiment.PRESETS))
def test_every_claim_that_can_be_judged_has_a_result(preset, tmp_path):
    sizes = experiment.PRESETS[preset]
    results = list(experiment.run(Lab("tutor_copilot", seeds=sizes.seeds, home=tmp_path), sizes))
    assert [result.claim for result in results] == [claim.id for claim in paper("tutor_copilot").claims if claim.judge]
