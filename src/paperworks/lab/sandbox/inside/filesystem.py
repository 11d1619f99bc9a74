"""A root folder of the child's own: the standard library, read-only, and a scratch folder in memory; nothing else."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping

from . import kernel
from .job import SCRATCH, View

_BUILT_AT = "/dev"  # exists everywhere; hidden only once every source has been taken hold of
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_FROM_HANDLE = 0x4
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_MS_PRIVATE_ALL = (1 << 18) | (1 << 14)
_MNT_DETACH = 2


def enter(view: View, files: Mapping[str, bytes], disk: int) -> None:
    """Make the new root and go there, into `SCRATCH`, which holds ``files`` and room for ``disk`` bytes more.

    Every file system of before is out of reach after this. Raises OSError where the kernel refuses a part of it.
    """
    kernel.mount(None, "/", _MS_PRIVATE_ALL)
    trees = {path: _clone(path, _NO_DEVICES) for path in view.mounted if os.path.exists(path)}  # noqa: PTH110
    trees |= {path: _clone(path, 0) for path in view.devices}
    _new_memory(_BUILT_AT, "mode=755,size=1m,nr_inodes=4096", _NO_SETUID)
    for path in sorted(trees):
        _attach(trees[path], _BUILT_AT + path)
    for path in view.masked:
        if os.path.isdir(_BUILT_AT + path):  # noqa: PTH112  (pathlib is slow to import)
            _new_memory(_BUILT_AT + path, "mode=755,size=4k,nr_inodes=1", _READ_ONLY)
    _new_scratch(_BUILT_AT + SCRATCH, files, disk)
    _become_root(_BUILT_AT)
    os.chdir(SCRATCH)


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (relative path to content) into ``folder``, readable by everybody."""
    for name, content in files.items():
        path = f"{folder}/{name}"
        os.makedirs(path.rpartition("/")[0], exist_ok=True)  # noqa: PTH103
        with open(path, "xb") as file:  # noqa: PTH123
            file.write(content)


def _clone(path: str, flags: int) -> int:
    """A detached copy of what is mounted at ``path``, read-only."""
    tree = kernel.call("open_tree", _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE)
    attributes = struct.pack("=QQQQ", _READ_ONLY | _NO_SETUID | flags, 0, 0, 0)
    kernel.call("mount_setattr", tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes, len(attributes))
    return tree


def _attach(tree: int, target: str) -> None:
    """Mount a detached copy at ``target``, which is made: a folder for a folder, an empty file for a file."""
    if os.stat(tree).st_mode & 0o170000 == 0o040000:
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(target.rpartition("/")[0], exist_ok=True)  # noqa: PTH103
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    kernel.call("move_mount", tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_HANDLE)
    os.close(tree)


def _new_memory(target: str, options: str, flags: int) -> None:
    kernel.mount(b"tmpfs", target, flags | _NO_SETUID | _NO_EXECUTE, options)


def _new_scratch(target: str, files: Mapping[str, bytes], disk: int) -> None:
    os.mkdir(target)  # noqa: PTH102
    page = 4096
    room = disk + sum(-len(content) // page * -page for content in files.values()) + page
    _new_memory(target, f"mode=777,size={room},nr_inodes={1024 + 4 * len(files)}", _NO_DEVICES)
    write_files(target, files)
    if not disk:
        attributes = struct.pack("=QQQQ", _READ_ONLY, 0, 0, 0)
        kernel.call("mount_setattr", _AT_FDCWD, os.fsencode(target), 0, attributes, len(attributes))


def _become_root(folder: str) -> None:
    os.chdir(folder)
    attributes = struct.pack("=QQQQ", _READ_ONLY, 0, 0, 0)
    kernel.call("mount_setattr", _AT_FDCWD, b".", 0, attributes, len(attributes))
    kernel.call("pivot_root", b".", b".")
    kernel.call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
