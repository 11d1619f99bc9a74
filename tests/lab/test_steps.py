"""A step is computed once; what comes back from the disk is what was computed, or it is computed again."""

import dataclasses
import functools
import math
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.lab import Lab, values


class Counted:
    """A step function that counts its calls."""

    def __init__(self, value: Any = 1) -> None:
        self.value, self.calls = value, 0

    def __call__(self, **params: Any) -> Any:
        self.calls += 1
        return self.value


@pytest.fixture
def fresh(tmp_path: Path):
    """Builds labs that share a home, as a run that starts again does."""
    return lambda **settings: Lab(settings.pop("slug", "made_up"), home=tmp_path / "steps", **settings)


def entries(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "steps").glob("*.step"))


def same(one: Any, other: Any) -> bool:
    """Equal in value, type and bits, arrays and NaN included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return (
        (math.isnan(one) and math.isnan(other)) if isinstance(one, float) and one != one else repr(one) == repr(other)
    )


VALUES = {
    "none": None,
    "scalars": [True, 0, -(10**30), 0.1, -0.0, "ä\n\x00", ""],
    "not finite": [math.inf, -math.inf, math.nan],
    "tuples in lists": [(1, (2.0,)), (), [()]],
    "keys that are no strings": {1: "a", (2, "b"): {None: 0.5}, False: 1, 2.5: 2},
    "a key like our own mark": {"$": "tuple", "of": [1]},
    "numpy scalars": [np.float32(0.1), np.int8(-3), np.bool_(True), np.float64("nan"), np.complex64(1j), np.str_("x")],
    "arrays": {
        "empty": np.zeros((0, 3)),
        "0-d": np.array(2.5, np.float16),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(10)[::3],
        "text": np.array(["a", "bc"]),
        "big-endian": np.arange(3, dtype=">i4"),
        "nan": np.array([np.nan, -0.0, np.inf]),
        "records": np.zeros(2, [("a", "i4"), ("b", "f8")]),
    },
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_first_run_and_replay_give_the_same_value(fresh, value):
    fn = Counted(value)
    first, again = fresh().step("measure", fn), fresh().step("measure", fn)
    assert fn.calls == 1
    assert same(first, value)
    assert same(again, value)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.text() | st.integers() | st.booleans() | st.none() | st.tuples(st.integers(), st.text())
nested = st.recursive(
    plain,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
    max_leaves=12,
)


@given(nested)
def test_any_nesting_comes_back(value):
    assert same(values.decode(values.encode(value)), value)


def test_replayed_arrays_may_be_written_to(fresh):
    fresh().step("measure", Counted(np.zeros(3)))
    again = fresh().step("measure", Counted(np.zeros(3)))
    again += 1
    assert fresh().step("measure", Counted(np.zeros(3))).sum() == 0


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 3
    rate: float = 0.1


def test_each_thing_that_matters_gives_a_step_of_its_own(fresh):
    fn = Counted()
    runs = [
        lambda: fresh().step("a", fn),
        lambda: fresh().step("b", fn),
        lambda: fresh(fingerprint="other source").step("a", fn),
        lambda: fresh(slug="other_paper").step("a", fn),
        lambda: fresh().step("a", fn, seed=0),
        lambda: fresh().step("a", fn, seed=1),
        lambda: fresh().step("a", fn, seed=1.0),
        lambda: fresh().step("a", fn, seed=True),
        lambda: fresh().step("a", fn, seed="1"),
        lambda: fresh().step("a", fn, config=Config()),
        lambda: fresh().step("a", fn, config=Config(rate=0.2)),
        lambda: fresh().step("a", fn, config={"width": 3, "rate": 0.1}),
        lambda: fresh().step("a", fn, limit=math.inf),
    ]
    for count, run in enumerate(runs, 1):
        run()
        run()
        assert fn.calls == count


def test_a_device_has_steps_of_its_own(fresh, monkeypatch):
    fn = Counted()
    fresh().step("a", fn)
    monkeypatch.setattr("paperworks.lab.device.cuda_count", lambda: 1)
    fresh(device="cuda").step("a", fn)
    assert fn.calls == 2


def test_the_order_of_parameters_does_not_matter(fresh):
    fn = Counted()
    fresh().step("a", fn, x=1, y={"b": 1, "c": 2})
    fresh().step("a", fn, y={"c": 2, "b": 1}, x=np.int64(1))
    assert fn.calls == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"losses": [1.0, object()]}, r"step 'train': the value\['losses'\]\[1\] is object"),
        ({1, 2}, r"keep sorted"),
        (Config(), r"dataclasses.asdict"),
        (Path("x"), r"Lab.cached"),
        (b"raw", r"frombuffer"),
        (range(3), r"keep list"),
        (np.array([object()]), r"dtype object"),
        (np.ma.array([1.0]), r"MaskedArray"),
    ],
)
def test_a_value_that_cannot_be_kept_is_named(fresh, tmp_path, value, says):
    with pytest.raises(TypeError, match=says):
        fresh().step("train", Counted(value))
    assert not entries(tmp_path)


def test_a_tensor_is_told_to_become_an_array(fresh):
    import torch

    with pytest.raises(
        TypeError, match=r"is torch.Tensor, which cannot be kept; keep tensor.detach\(\).cpu\(\).numpy\(\)"
    ):
        fresh().step("train", Counted(torch.zeros(2)))


@pytest.mark.parametrize("param", [np.zeros(2), object(), lambda: 1, {1, 2}, Config])
def test_a_parameter_that_cannot_be_compared_is_refused(fresh, param):
    with pytest.raises(TypeError, match=r"step 'train': the parameters\['x'\] is"):
        fresh().step("train", Counted(), x=param)


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", ".a", "x" * 81])
def test_a_step_needs_a_name_that_a_file_can_have(fresh, name):
    with pytest.raises(ValueError, match="is named by"):
        fresh().step(name, Counted())


def damage_truncate(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-1])


def damage_flip(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 4
    entry.write_bytes(content)


def damage_head(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[25] ^= 1
    entry.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_head, lambda e: e.write_bytes(b"")])
def test_a_damaged_entry_is_computed_again(fresh, tmp_path, damage, caplog):
    fn = Counted(np.arange(100))
    fresh().step("measure", fn)
    (entry,) = entries(tmp_path)
    damage(entry)
    assert fresh().step("measure", fn).tolist() == list(range(100))
    assert fn.calls == 2
    assert "damaged" in caplog.text
    fresh().step("measure", fn)
    assert fn.calls == 2, "the entry is whole again"


def test_every_bit_of_an_entry_is_watched(fresh, tmp_path):
    fresh().step("measure", Counted({"a": 1.5}))
    (entry,) = entries(tmp_path)
    whole = entry.read_bytes()
    for position in range(0, len(whole), 7):
        entry.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        fn = Counted({"a": 1.5})
        assert fresh().step("measure", fn) == {"a": 1.5}
        assert fn.calls == 1, f"byte {position}"


def test_a_step_that_fails_is_tried_again_and_leaves_nothing(fresh, tmp_path):
    def broken():
        raise RuntimeError("no")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            fresh().step("measure", broken)
    assert not entries(tmp_path)


def test_a_failed_write_leaves_nothing_behind(fresh, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        fresh().step("measure", Counted())
    assert [path.name for path in (tmp_path / "steps").iterdir()] == [".locks"]


# What the parameters do not say


def test_a_loop_variable_that_is_no_parameter_is_noticed(fresh):
    lab = fresh()

    def train(seed):
        return lab.step("train", lambda: seed)

    assert train(0) == 0
    with pytest.raises(ValueError, match="pass everything that differs as a parameter"):
        train(1)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: functools.partial(max, x, 0),
        lambda x: lambda y=x: y,
        lambda x: functools.partial(lambda config: config.width, Config(x)),
        lambda x: Config(x).__repr__,
    ],
    ids=["partial", "default", "dataclass", "method"],
)
def test_settings_hidden_in_a_function_are_noticed(fresh, make):
    lab = fresh()
    lab.step("train", make(1))
    lab.step("train", make(1))
    with pytest.raises(ValueError, match="another function or other variables"):
        lab.step("train", make(2))


def test_another_function_under_the_same_name_is_noticed(fresh):
    lab = fresh()
    lab.step("train", lambda: 1)
    with pytest.raises(ValueError, match="another function"):
        lab.step("train", lambda: 2)


def test_results_of_earlier_steps_may_be_captured(fresh):
    lab = fresh()
    for _ in range(2):  # two claims that need the same model
        weights = lab.step("train", lambda: np.arange(3.0))
        assert lab.step("evaluate", lambda: float(weights.sum())) == 3.0  # noqa: B023


# Scratch


def test_scratch_survives_a_cut_and_goes_with_the_step(fresh, tmp_path):
    def train(lab, cut):
        checkpoint = lab.scratch("checkpoints") / "last.txt"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        for epoch in range(done, 4):
            checkpoint.write_text(str(epoch + 1))
            if epoch == cut:
                raise KeyboardInterrupt
        return [done, epoch]

    lab = fresh()
    with pytest.raises(KeyboardInterrupt):
        lab.step("train", lambda: train(lab, 1))
    assert list((tmp_path / "steps").rglob("last.txt"))
    lab = fresh()
    assert lab.step("train", lambda: train(lab, None)) == [2, 3]
    assert not list((tmp_path / "steps").rglob("last.txt"))
    assert not list((tmp_path / "steps").glob("*.scratch"))


def test_scratch_belongs_to_the_innermost_step(fresh):
    lab = fresh()

    def inner():
        return str(lab.scratch("x"))

    def outer():
        before = str(lab.scratch("x"))
        inside = lab.step("inner", inner)
        return [before, inside, str(lab.scratch("x")), Path(before).is_dir(), Path(inside).exists()]

    before, inside, after, kept, left = lab.step("outer", outer)
    assert before == after != inside
    assert kept
    assert not left


def test_scratch_outside_a_step_says_where_it_belongs(fresh):
    with pytest.raises(ValueError, match=r"call it inside the function that step\(...\) runs"):
        fresh().scratch("checkpoints")
    other = fresh()
    with pytest.raises(ValueError, match="belongs to a step"):
        fresh().step("a", lambda: str(other.scratch("x")))


def test_a_step_may_not_wait_for_itself(fresh):
    lab = fresh()
    with pytest.raises(ValueError, match="calls itself"):
        lab.step("a", lambda: lab.step("a", Counted()))


# Two processes


def _count_in_file(home: str, log: str, barrier: Any) -> None:
    def work(seed):
        with Path(log).open("a") as file:
            file.write("computed\n")
        return np.arange(200_000)

    barrier.wait()
    for seed in range(3):
        got = Lab("made_up", home=Path(home)).step("work", work, seed=seed)
        assert got.tolist() == list(range(200_000))


def test_processes_that_want_the_same_step_compute_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    arguments = (str(tmp_path / "steps"), str(tmp_path / "log"), barrier)
    processes = [context.Process(target=_count_in_file, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text().count("computed") == 3
    assert len(entries(tmp_path)) == 3


def _cut_while_writing(home: str) -> None:
    import os

    os.fsync = lambda _: os.kill(os.getpid(), 9)  # as if the power went away in the middle
    Lab("made_up", home=Path(home)).step("work", Counted(np.arange(1000)))


def test_a_process_that_is_killed_while_writing_does_no_harm(fresh, tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_cut_while_writing, args=(str(tmp_path / "steps"),))
    process.start()
    process.join()
    assert process.exitcode == -9
    fn = Counted(np.arange(1000))
    assert fresh().step("work", fn).tolist() == list(range(1000))
    assert fn.calls == 1
