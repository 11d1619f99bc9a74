"""The lab that an experiment receives: seeds, steps that are run once, caches, figures, progress and timing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from paperworks.core import MissingExtra

from . import device as devices
from . import places, timing, weights
from . import progress as progress_reports
from .cache import Cache
from .offers import Offers
from .steps import Steps

if TYPE_CHECKING:
    from .figures import Drawing

T = TypeVar("T")


class Lab:
    """What the runner, tests and docs hand to ``experiment.run(lab, sizes)`` and ``bench.bench(lab)``.

    ``slug`` and ``preset`` say which run this is, ``seeds`` gives ``range(seeds)``. ``device`` may be "auto".
    ``home`` is the folder of this run's steps (else ``$PAPERWORKS_HOME/runs/<slug>/<preset>.steps``), ``cache`` that of
    what many runs share (else ``$PAPERWORKS_CACHE``, else the user's cache folder). Steps are keyed by ``fingerprint``,
    a text that stands for the source; in ``offers`` they are laid out for others to compute, where somebody looks
    there. ``emit`` receives progress and figures as JSON objects; without it progress is drawn on the terminal.

    Raises ValueError for a negative or zero number of seeds or threads, UserError for a device that is not here.
    """

    def __init__(
        self,
        slug: str,
        *,
        preset: str = "smoke",
        seeds: int = 3,
        device: str = "cpu",
        threads: int = 1,
        home: Path | None = None,
        cache: Path | None = None,
        fingerprint: str = "",
        offers: Path | None = None,
        emit: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        for name, count in (("seeds", seeds), ("threads", threads)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"{name} is a whole number of at least 1, not {count!r}")
        self.slug = slug
        self.preset = preset
        self.seeds = range(seeds)
        self.device = devices.resolve(device, preset)
        self.threads = threads
        self._emit = emit
        home = home or places.home() / "runs" / slug / f"{preset}.steps"
        self._steps = Steps(home, (fingerprint, slug, self.device), Offers(offers) if offers else None)
        self._cache = Cache(cache or places.cache())
        self._figures: set[str] = set()

    def __repr__(self) -> str:
        return f"Lab({self.slug!r}, preset={self.preset!r}, seeds={len(self.seeds)}, device={self.device!r})"

    def rng(self, name: str, seed: int) -> np.random.Generator:
        """A generator of its own for ``name`` and ``seed``: the same numbers on every machine and in every order."""
        return np.random.default_rng(int.from_bytes(self._entropy(name, seed)))

    def seed_all(self, name: str, seed: int) -> int:
        """Seed torch, on the CPU and every GPU, for ``name`` and ``seed``; returns the number it was given (32 bits).

        Nothing else is seeded: numpy's draws come from `rng`. Raises MissingExtra where torch is not installed.
        """
        number = int.from_bytes(self._entropy(name, seed)[:4])
        try:
            import torch
        except ModuleNotFoundError as error:
            raise MissingExtra(self.slug, "torch") from error
        torch.manual_seed(number)
        return number

    def step(self, name: str, fn: Callable[..., T], /, **params: Any) -> T:
        """``fn(**params)``, computed once and read back from the disk whenever the run is started again.

        The value is made of None, bool, int, float, str, list, tuple, dict, numpy arrays and scalars. It is the same,
        bit for bit, when it is computed and when it is read back. It is known again by the source, the device,
        ``name`` and ``params``, and by nothing else: what ``fn`` depends on must be among ``params`` (numbers, texts,
        lists, mappings, dataclasses). An entry that was damaged is computed again; of two processes that want the same
        step, one waits for the other.

        Raises TypeError for a value or a parameter of another type, and ValueError where the same step is asked for
        with another function, or other settings in the variables around it.
        """
        return self._steps.run(name, fn, params)

    def each_seed(
        self, name: str, fn: Callable[..., T], /, seeds: Iterable[int] | None = None, **params: Any
    ) -> list[T]:
        """``[self.step(name, fn, seed=seed, **params) for seed in seeds]``, while progress counts the seeds done.

        Without ``seeds`` they are this run's own. Say it this way where the seeds do not need each other: an engine of
        many machines spreads them, if ``fn`` is a function at the top level of a module.

        Raises ValueError for a seed that is no whole number from 0, TypeError where ``params`` has a ``seed`` too, and
        what `step` raises.
        """
        if "seed" in params:
            raise TypeError("each_seed() gives the function its seed; which ones, say by seeds=[...]")
        wanted = [_checked_seed(seed) for seed in (self.seeds if seeds is None else seeds)]
        asked = [{"seed": seed, **params} for seed in wanted]
        turns = self.progress(self._steps.in_turn(name, fn, asked), name, total=len(asked))
        values = {turn: self.step(name, fn, **asked[turn]) for turn in turns}
        return [values[turn] for turn in range(len(asked))]

    def scratch(self, name: str) -> Path:
        """A folder for checkpoints of the surrounding step: there again after a cut, removed when the step has ended.

        Raises ValueError outside a step.
        """
        return self._steps.scratch(name)

    def cached(self, kind: str, recipe: Any, make: Callable[[Path], None]) -> Path:
        """The folder that ``make(folder)`` filled, shared by every run and paper with the same ``kind`` and ``recipe``.

        ``recipe`` holds all that the content depends on (numbers, texts, lists, mappings, dataclasses). Each use checks
        every file's sha256 and makes a damaged entry again; a ``make`` that fails leaves nothing behind. Do not write
        into the folder.
        """
        return self._cache.get(kind, recipe, make)

    def weights(self, name: str) -> Path:
        """The paper's shipped ``weights/<name>.safetensors``, whose sha256 was checked.

        Raises FileNotFoundError where it is absent, ValueError where it is damaged.
        """
        return weights.find(self.slug, name)

    def figure(self, name: str, fig: Drawing, alt: str) -> str:
        """Put a figure into the run's evidence; returns ``name``, for `Measurement.figures`.

        ``fig`` is a matplotlib Figure (kept as SVG, or as PNG where that would exceed 300 kB), a PIL image or an image
        array, [H, W] or [H, W, 3 or 4], uint8 or floats in [0, 1] (kept as PNG). ``alt`` says in words what it shows.

        Raises ValueError for a name that is taken or malformed, or an empty ``alt``.
        """
        from . import figures

        if name in self._figures:
            raise ValueError(f"this run already has a figure {name!r}; give each its own name")
        event = figures.event(name, fig, alt)
        self._figures.add(name)
        if self._emit is not None:
            self._emit(event)
        return name

    def progress(self, iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """The items of ``iterable``, while the runner or the terminal shows how many of ``total`` are done."""
        emit = self._emit
        if emit is None:
            return progress_reports.on_terminal(iterable, label, total)

        def say(done: int, of: int | None) -> None:
            emit({"event": "progress", "label": label, "done": done, "total": of})

        return progress_reports.reported(iterable, total, say)

    def compare(
        self, ours: Callable[[], object], peers: Mapping[str, Callable[[], object]], repeats: int = 7
    ) -> timing.Comparison:
        """Time ``ours`` beside its ``peers`` on this lab's threads and device; see `timing.compare`."""
        with timing.threads(self.threads):
            return timing.compare(ours, peers, repeats, synchronize=lambda: devices.synchronize(self.device))

    def venv(self, *requirements: str) -> Path:
        """A virtual environment with exactly these requirements, each pinned (``"name==1.2.3"``), kept in the cache.

        Run its ``bin/python``. Raises ValueError for a requirement without a version, RuntimeError with pip's words
        for one that cannot be installed.
        """
        return self._cache.venv(requirements)

    def _entropy(self, name: str, seed: int) -> bytes:
        return hashlib.sha256("\0".join((self.slug, name, str(_checked_seed(seed)))).encode()).digest()


def _checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"a seed is a whole number from 0, not {seed!r}")
    return int(seed)
