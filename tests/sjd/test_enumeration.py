"""Every random path, in float64: right schemes have the law of plain decoding, and wrong ones are found out."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from paperworks.sjd import GridSpec, reference
from paperworks.sjd.controls import LOSSLESS, LOSSY
from paperworks.sjd.enumeration import (
    enumerate_core,
    enumerate_reference,
    outputs,
    plain,
    tabular,
    total_variation,
)
from paperworks.sjd.scheme import Coupling, Init, Scheme, Verify

SIZES = [(2, 4, 3), (3, 4, 3), (2, 5, 4), (2, 5, 3)]
"""Tokens, length, window. The first token comes from the prompt's pass: 3, 3, 4 and 4 have windows."""
SCHEMES = [
    Scheme(init=init, coupling=coupling, verify=verify)
    for init, coupling, verify in product(get_args(Init), get_args(Coupling), get_args(Verify))
    if not init.endswith("_v")  # the line above is a picture's: tested in one
]


def _named(scheme):
    return f"{scheme.init}-{scheme.coupling}-{scheme.verify}"


def _core_sizes(scheme):
    """All sizes, but for schemes whose noise is drawn for places that nothing uses, one first draft at all of them."""
    wasteful = scheme.verify == "gumbel" and scheme.coupling != "gumbel"
    return SIZES[:1] if wasteful and scheme.init != "uniform" else SIZES


@pytest.mark.parametrize("scheme", SCHEMES, ids=_named)
def test_the_output_has_the_law_of_plain_decoding(scheme):
    for vocabulary, length, window in SIZES:
        model = tabular(vocabulary, length)
        law = plain(model, vocabulary, length)
        paths = enumerate_reference(model, reference.rules(scheme), vocabulary, window, length)
        assert sum(paths.values()) == pytest.approx(1, abs=1e-12)
        assert total_variation(outputs(paths), law) < 1e-12


@pytest.mark.parametrize("scheme", SCHEMES, ids=_named)
def test_so_has_the_tensor_code_which_agrees_with_the_reference_on_passes_too(scheme):
    for vocabulary, length, window in _core_sizes(scheme):
        model = tabular(vocabulary, length)
        core = enumerate_core(model, scheme, vocabulary, window, length)
        assert len({passes for _, passes in core}) > 1
        assert total_variation(outputs(core), plain(model, vocabulary, length)) < 1e-12
        plainly = enumerate_reference(model, reference.rules(scheme), vocabulary, window, length)
        assert total_variation(core, plainly) < 1e-12


GRID_INITS = [init for init in get_args(Init) if init.endswith(("_h", "_v"))]


@pytest.mark.parametrize("coupling", get_args(Coupling))
@pytest.mark.parametrize("init", GRID_INITS)
def test_first_drafts_from_neighbours_in_a_picture_change_no_law(init, coupling):
    scheme, grid = Scheme(init=init, coupling=coupling), GridSpec(height=3, width=2)
    for vocabulary, length, window in [(2, 5, 4), (3, 4, 3)]:
        model = tabular(vocabulary, length, seed=1)
        core = enumerate_core(model, scheme, vocabulary, window, length, grid)
        plainly = enumerate_reference(model, reference.rules(scheme, grid.width), vocabulary, window, length)
        assert total_variation(core, plainly) < 1e-12
        assert total_variation(outputs(core), plain(model, vocabulary, length)) < 1e-12


def test_another_neighbour_is_another_path_to_the_same_law():
    model = tabular(2, 5, seed=1)
    paths = [enumerate_core(model, Scheme(init=init), 2, 4, 5, GridSpec(height=3, width=2)) for init in GRID_INITS]
    for i, one in enumerate(paths):
        assert all(total_variation(one, other) > 1e-3 for other in paths[:i])


@pytest.mark.parametrize("name", LOSSY)
def test_a_wrong_scheme_is_found_out(name):
    control = LOSSY[name]
    for vocabulary, length, window in SIZES:
        if "temperature" in name and vocabulary == 2:
            continue  # of two tokens the residual keeps one, and a certain draw knows no temperature
        model = tabular(vocabulary, length, seed=4)
        paths = enumerate_reference(model, control.rules, vocabulary, window, length, control.limit)
        assert sum(paths.values()) == pytest.approx(1, abs=1e-12)
        assert total_variation(outputs(paths), plain(model, vocabulary, length)) > 1e-3


@pytest.mark.parametrize("name", LOSSLESS)
def test_its_right_neighbour_is_exact(name):
    control = LOSSLESS[name]
    for vocabulary, length, window in SIZES:
        model = tabular(vocabulary, length, seed=4)
        paths = enumerate_reference(model, control.rules, vocabulary, window, length, control.limit)
        assert total_variation(outputs(paths), plain(model, vocabulary, length)) < 1e-12


def test_a_window_of_one_is_plain_decoding_pass_by_pass():
    model = tabular(3, 4)
    paths = enumerate_core(model, Scheme(), 3, 1, 4)
    assert {passes for _, passes in paths} == {4}
    assert total_variation(outputs(paths), plain(model, 3, 4)) < 1e-12


def test_coupled_drafts_need_fewer_passes_than_independent_ones():
    model = tabular(3, 5, seed=2)
    mean = {}
    for coupling in get_args(Coupling):
        rules = reference.rules(Scheme(init="uniform", coupling=coupling))
        paths = enumerate_reference(model, rules, 3, 4, 5)
        mean[coupling] = sum(passes * weight for (_, passes), weight in paths.items())
    assert mean["maximal"] < mean["gumbel"] < mean["independent"] < 5
