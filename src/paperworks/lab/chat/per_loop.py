"""Things that belong to one event loop, such as connections and locks, for objects that outlive a loop."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """``here()`` is the running loop's own ``make()``, made at its first use."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, T] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def here(self) -> T:
        """The running loop's thing."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._made:
                self._made[loop] = self._make()
            return self._made[loop]

    def forget(self) -> T | None:
        """Take the running loop's thing away, to close it; None where there is none."""
        with self._lock:
            return self._made.pop(asyncio.get_running_loop(), None)
