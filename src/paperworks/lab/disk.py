"""Files that are whole or absent: atomic replacement, locks between processes, digests. Standard library only."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, on the disk before this returns; a crash leaves the old file or the new one.

    Raises OSError where the folder cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{_beside(path.name)}{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_half_written(folder: Path, name: str = "*") -> None:
    """Remove what `write_atomically` left in ``folder`` beside files called ``name`` when its process was killed.

    Only for who knows that nobody writes them now.
    """
    for left in folder.glob(f"{_beside(name)}{'[0-9a-f]' * 16}"):
        left.unlink(missing_ok=True)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Write into ``folder`` while nobody else does, after removing what a killed process left there half written."""
    with exclusive(folder / ".lock") as held:
        if held:
            remove_half_written(folder)
        yield


def _beside(name: str) -> str:
    return f".{name[:64]}."


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on the disk, so that a rename in it outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Hold the lock file ``path``; others, in this process or another, wait until it is given back.

    The operating system gives it back when the process dies. Yields False on a file system that knows no locks, where
    nobody waits: what is written under a lock must therefore be atomic all the same.
    """
    held = True
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
            held = False
        yield held


def is_held(path: Path) -> bool:
    """True where somebody holds the lock file ``path`` at this moment."""
    try:
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nobody ever held it, or the file system knows no locks
        return False
    return False


def sha256_of(path: Path) -> str:
    """Hex sha256 of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
