"""One run of a paper at a preset at a time, on this machine."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO


class Lock:
    """Held from `take` to `release`. It belongs to the process: one that dies, however it dies, leaves it free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def take(self) -> int | None:
        """Take the lock and return None, or return the id of the process that has it (0 where that is not known)."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            file.close()
            return int(holder) if holder.isdigit() else 0
        except OSError:
            pass  # a file system that knows no locks: two runs would then both write, each file whole
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file
        return None

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None
