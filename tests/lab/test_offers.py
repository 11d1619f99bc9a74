"""Steps laid out for others: what they compute is what the run would have computed, and nobody is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperworks.lab import Lab, offers, steps
from paperworks.lab.disk import exclusive, is_held
from paperworks.lab.offers import Offers
from paperworks.lab.steps import Steps

CALLS: list[int] = []
ASKED: list[dict[str, Any]] = [{"seed": seed} for seed in range(4)]


def draw(*, seed: int, width: int = 3) -> dict[str, Any]:
    CALLS.append(seed)
    return {"seed": seed, "draws": np.random.default_rng(seed).random(width)}


@pytest.fixture
def store(tmp_path: Path) -> Steps:
    CALLS.clear()
    return Steps(tmp_path / "steps", ("made up",), Offers(tmp_path / "offers"))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    CALLS.clear()
    return Lab("made_up", seeds=4, home=tmp_path / "steps", offers=tmp_path / "offers")


def standing(tmp_path: Path) -> dict[str, Path]:
    return Offers(tmp_path / "offers").standing()


class Helper:
    """Another machine: it takes the seeds of its choice the moment that the run has begun its first."""

    def __init__(self, tmp_path: Path, takes: set[int]) -> None:
        self._tmp_path = tmp_path
        self._takes = takes
        self._held: list[tuple[Any, Path, bytes]] = []

    def begin(self) -> None:
        for stem, file in standing(self._tmp_path).items():
            call = offers.load(file.read_bytes())
            if call[2]["seed"] in self._takes:
                entry = self._tmp_path / "steps" / f"{stem}.step"
                lock = exclusive(steps.lock_of(entry))
                lock.__enter__()
                self._held.append((lock, entry, steps.record(*call)))

    def finish(self, *, with_records: bool = True) -> None:
        for lock, entry, record in self._held:
            if with_records:
                steps.put(entry, record)
            lock.__exit__(None, None, None)


def same(one: list[Any], other: list[Any]) -> bool:
    return [value["seed"] for value in one] == [value["seed"] for value in other] and all(
        a["draws"].tobytes() == b["draws"].tobytes() for a, b in zip(one, other, strict=True)
    )


def run_with(helper: Helper, store: Steps, *, with_records: bool) -> list[Any]:
    """The run, whose helper begins after the first seed and is done, or gives up, during the last."""
    values = {}
    for turn in store.in_turn("draws", draw, ASKED):
        if turn == 0:
            helper.begin()
        elif turn == 3:
            helper.finish(with_records=with_records)
        values[turn] = store.run("draws", draw, ASKED[turn])
    return [values[turn] for turn in sorted(values)]


@pytest.mark.parametrize(
    ("with_records", "computed_here_at_last"), [(True, []), (False, [1, 2])], ids=["computed", "lost"]
)
def test_what_others_have_begun_comes_last(
    store: Steps, tmp_path: Path, with_records: bool, computed_here_at_last: list[int]
) -> None:
    values = run_with(Helper(tmp_path, takes={1, 2}), store, with_records=with_records)
    by_the_helper = [2, 1]
    assert [*by_the_helper, 0, 3, *computed_here_at_last] == CALLS
    assert same(values, Lab("made_up", seeds=4, home=tmp_path / "alone").each_seed("draws", draw))


def test_nobody_there_is_nobody_waited_for(lab: Lab, tmp_path: Path) -> None:
    values = lab.each_seed("draws", draw)
    assert CALLS == [0, 1, 2, 3]
    assert same(values, Lab("made_up", seeds=4, home=tmp_path / "alone").each_seed("draws", draw))
    assert not standing(tmp_path)


def test_laid_out_is_what_is_not_done_and_the_last_is_taken_first(store: Steps, tmp_path: Path) -> None:
    store.run("draws", draw, ASKED[1])
    for turn in store.in_turn("draws", draw, ASKED):
        if turn == 0:
            assert [offers.load(file.read_bytes())[2]["seed"] for file in standing(tmp_path).values()] == [3, 2]
    assert not standing(tmp_path)


def test_a_function_that_has_no_name_elsewhere_stays_with_the_run(lab: Lab, tmp_path: Path) -> None:
    def inner(*, seed: int) -> int:
        assert not standing(tmp_path)
        return seed

    assert lab.each_seed("inner", inner) == [0, 1, 2, 3]


def test_a_seed_that_fails_leaves_no_offers(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        lab.each_seed("draws", draw, width="three")
    assert not standing(tmp_path)


def test_a_record_that_was_damaged_on_its_way_is_refused(tmp_path: Path) -> None:
    record = steps.record("draws", draw, {"seed": 0})
    with pytest.raises(ValueError, match="damaged"):
        steps.put(tmp_path / "draws.step", record[:-1] + bytes([record[-1] ^ 1]))
    assert not (tmp_path / "draws.step").exists()


def test_a_lock_is_seen_while_somebody_has_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere" / "lock")
    with exclusive(tmp_path / "lock"):
        assert is_held(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
