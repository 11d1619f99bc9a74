"""The seeds of one paper on many machines: what a run lays out is computed wherever there is room.

The run itself works through its seeds from the first on, and needs nobody. From the moment that another machine has
begun a seed, the step's lock is held for it here, so that the run leaves it for last and then waits for its record. The
seed of a machine that is lost is free again: for the run, or for another machine, whoever comes first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import ray

from paperworks.app.engine import start_here
from paperworks.app.lock import Lock
from paperworks.app.process import Child
from paperworks.lab import steps as finished
from paperworks.lab.offers import Offers

from .order import Order
from .seed_child import READY
from .stream import Ended, Failed, Lost, Stream

_TICK_S = 0.5
_RETRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Another machine has imported all it needs and starts to compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A seed's record, and the CPU seconds it took."""

    record: bytes
    cpu_s: float


def compute(order: Order, offer: bytes) -> Iterator[Begun | Done]:
    """Compute the step in ``offer`` here, in a process of its own. Raises RuntimeError where that cannot be done."""
    with TemporaryDirectory(prefix="paperworks-") as folder:
        file = Path(folder) / "offer"
        file.write_bytes(offer)
        log, limit = Path(folder) / "log", order.memory_limit
        child = start_here("paperworks.app.cluster.seed_child", order.job, str(file), log=log, memory_limit=limit)
        try:
            yield from _record(child)
        finally:
            child.end()


def _record(child: Child) -> Iterator[Begun | Done]:
    said, begun = bytearray(), False
    for data in child.followed(_TICK_S):
        said += data
        if not begun and said.startswith(READY):
            begun = True
            yield Begun()
        if child.weigh() > child.memory_limit:
            raise RuntimeError("the seed needs more memory than it may hold")
    usage = child.end()
    if child.exit_status:
        raise RuntimeError(child.describe_exit())
    yield Done(record=bytes(said[len(READY) :]), cpu_s=usage.cpu_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seed:
    stem: str
    entry: Path
    stream: Stream
    lock: Lock


class Elsewhere:
    """What a run has laid out in the folder ``offers``, given to other machines; their records go to ``steps``.

    ``cpu_s`` are the CPU seconds that they took.
    """

    def __init__(self, order: Order, steps: Path, offers: Path) -> None:
        self._order = order
        self._steps = steps
        self._offers = Offers(offers)
        self._seeds: dict[str, _Seed] = {}
        self._over: set[str] = set()
        self._lost: Counter[str] = Counter()
        self._arrived: SimpleQueue[tuple[_Seed, Begun | Done | Exception]] = SimpleQueue()
        self._task = ray.remote(compute)
        self.cpu_s = 0.0

    def turn(self) -> None:
        """Give out what is new, call back what the run does itself, take in what has come. It never waits."""
        standing = self._offers.standing()
        for stem in self._seeds.keys() - standing.keys():
            self._call_back(stem)
        for stem, offer in standing.items():
            if stem not in self._seeds and stem not in self._over:
                self._give_out(stem, offer)
        while not self._arrived.empty():
            seed, item = self._arrived.get()
            if self._seeds.get(seed.stem) is seed:
                self._take_in(seed, item)
            elif isinstance(item, Begun):  # it began as it was called back, which such a task may not hear
                seed.stream.cancel()

    def close(self) -> None:
        """Call back everything."""
        for stem in list(self._seeds):
            self._call_back(stem)

    def _give_out(self, stem: str, offer: Path) -> None:
        try:
            content = offer.read_bytes()
        except FileNotFoundError:  # the run has come to it just now
            return
        options = {**self._order.resources, "max_retries": 0, "name": f"{self._order.job.slug} {stem}"}
        seed = _Seed(
            stem=stem,
            entry=self._steps / f"{stem}.step",
            stream=Stream(self._task, options, self._order, content),
            lock=Lock(finished.lock_of(self._steps / f"{stem}.step")),
        )
        self._seeds[stem] = seed
        # Not in this thread: Ray would take it that a task which waits for others leaves its cores to them meanwhile.
        threading.Thread(target=self._listen, args=(seed,), daemon=True).start()

    def _listen(self, seed: _Seed) -> None:
        try:
            while True:
                self._arrived.put((seed, seed.stream.take()))
        except (Ended, Lost, Failed) as end:
            self._arrived.put((seed, end))

    def _take_in(self, seed: _Seed, item: Begun | Done | Exception) -> None:
        match item:
            case Begun():
                if seed.lock.take() is not None:  # the run has come to it first
                    self._call_back(seed.stem)
            case Done():
                self.cpu_s += item.cpu_s
                with suppress(OSError, ValueError):  # without a record the run computes it itself
                    finished.put(seed.entry, item.record)
            case Lost() if self._lost[seed.stem] < _RETRIES:
                self._lost[seed.stem] += 1
                self._seeds.pop(seed.stem).lock.release()
            case _:
                self._settle(seed.stem)

    def _call_back(self, stem: str) -> None:
        self._seeds[stem].stream.cancel()
        self._settle(stem)

    def _settle(self, stem: str) -> None:
        """Leave the step to the run: to read, where its record has come, else to compute."""
        self._over.add(stem)
        self._offers.withdraw(stem)
        self._seeds.pop(stem).lock.release()
