"""One run of a paper at a preset at a time, on this machine."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO


class Lock:
    """Held from `take` to `release`. It belongs to the process: one that dies, however it dies, leaves it free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> int | None:
        """Take the lock and return None, or return the id of the process that has it (0 where that is not known)."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            file.close()
            return int(holder) if holder.isdigit() else 0
        except OSError:
            pass  # a file system that knows no locks: two runs would then both write, each file whole
        self._file = file
        with suppress(OSError):  # the lock is held all the same on a disk that has no room to say by whom
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        return None

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None
