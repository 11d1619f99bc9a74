"""The lab itself: seeds that mean the same everywhere, folders where they belong, and settings that are checked."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paperworks.core import MissingExtra, UserError
from paperworks.lab import Lab


def test_seeds_count_from_zero():
    assert list(Lab("made_up", seeds=4).seeds) == [0, 1, 2, 3]


@pytest.mark.parametrize("settings", [{"seeds": 0}, {"seeds": True}, {"seeds": 2.0}, {"threads": 0}, {"threads": -1}])
def test_counts_are_checked(settings):
    with pytest.raises(ValueError, match="is a whole number of at least 1"):
        Lab("made_up", **settings)


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr("paperworks.lab.device.cuda_count", lambda: 0)
    with pytest.raises(UserError, match="device cuda is not here"):
        Lab("made_up", preset="gpu", device="auto")
    assert Lab("made_up", preset="quick", device="auto").device == "cpu"


def test_draws_are_the_same_on_every_machine_and_in_every_order():
    lab = Lab("lmul")
    assert lab.rng("operands", 0).integers(10**9, size=3).tolist() == [757386875, 773086663, 52562972]
    lab.rng("other", 1).random(100)
    assert lab.rng("operands", 0).integers(10**9) == 757386875


def test_paper_name_and_seed_each_give_other_draws():
    draws = [
        Lab(slug).rng(name, seed).integers(2**62)
        for slug in ("one", "other")
        for name in ("a", "b")
        for seed in (0, 1, 10)
    ]
    assert len(set(draws)) == len(draws)
    assert Lab("one").rng("a1", 0).integers(2**62) != Lab("one").rng("a", 10).integers(2**62)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0", None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0"):
        Lab("made_up").rng("a", seed)


def test_numpy_integers_are_seeds_too():
    lab = Lab("made_up")
    assert lab.rng("a", np.int64(3)).integers(2**62) == lab.rng("a", 3).integers(2**62)


def test_seed_all_seeds_torch_and_nothing_else():
    import torch

    lab = Lab("made_up")
    np_before, random_before = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    number = lab.seed_all("train", 1)
    first = torch.rand(3)
    assert lab.seed_all("train", 1) == number == torch.initial_seed()
    assert torch.equal(torch.rand(3), first)
    assert lab.seed_all("train", 2) != number
    assert 0 <= number < 2**32, "scikit-learn takes it as random_state"
    assert np.random.get_state()[1].tolist() == np_before  # noqa: NPY002
    assert random.getstate() == random_before


def test_seed_all_without_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"lmul needs torch: pip install 'paperworks\[lmul\]'"):
        Lab("lmul").seed_all("train", 0)


def test_steps_and_cache_go_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERWORKS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PAPERWORKS_CACHE", str(tmp_path / "cache"))
    lab = Lab("made_up", preset="quick")
    lab.step("a", lambda: 1)
    place = lab.cached("corpus", 1, lambda folder: (folder / "x").write_text("x") and None)
    assert [path.parent for path in tmp_path.rglob("*.step")] == [
        tmp_path / "home" / "runs" / "made_up" / "quick.steps"
    ]
    assert place.parent == tmp_path / "cache" / "corpus"


def test_without_the_environment_they_go_to_the_users_folders(tmp_path, monkeypatch):
    monkeypatch.delenv("PAPERWORKS_HOME")
    monkeypatch.delenv("PAPERWORKS_CACHE")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / "data" / name))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    lab = Lab("made_up", preset="quick")
    lab.step("a", lambda: 1)
    lab.cached("corpus", 1, lambda folder: (folder / "x").write_text("x") and None)
    assert list((tmp_path / "data" / "paperworks" / "runs" / "made_up" / "quick.steps").glob("*.step"))
    assert list((tmp_path / "cache" / "paperworks" / "corpus").iterdir())


def test_a_lab_alone_writes_nothing(tmp_path):
    Lab("made_up", home=tmp_path / "home", cache=tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_progress_goes_to_emit_as_events():
    events = []
    lab = Lab("made_up", emit=events.append)
    assert list(lab.progress(range(3), "training")) == [0, 1, 2]
    assert events[0] == {"event": "progress", "label": "training", "done": 0, "total": 3}
    assert events[-1] == {"event": "progress", "label": "training", "done": 3, "total": 3}


def test_compare_uses_the_labs_threads():
    import threadpoolctl

    seen = []

    def ours():
        seen.append({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})

    found = Lab("made_up", threads=1).compare(ours, {"peer": lambda: None})
    assert set(found.peers) == {"peer"}
    assert all(threads <= {1} for threads in seen)


def test_the_lab_needs_neither_torch_nor_matplotlib():
    code = (
        "import sys; from paperworks.lab import Lab; lab = Lab('nrgboost'); lab.rng('a', 0)\n"
        "list(lab.progress([1], 'x')); lab.step('a', lambda: 1)\n"
        "print([name for name in ('torch', 'matplotlib', 'scipy', 'rich', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_tests_never_touch_the_users_folders(tmp_path_factory):
    import os

    temporary = Path(os.environ["PAPERWORKS_HOME"]).parent
    assert temporary.name.startswith("paperworks-tests-")
    assert Path(os.environ["PAPERWORKS_CACHE"]).parent == temporary
