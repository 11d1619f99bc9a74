"""Landlock: the kernel refuses this process, and all that it starts, every file that is not listed."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from . import kernel

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = {1: _REFER - 1, 2: _TRUNCATE - 1, 3: _IOCTL_DEVICE - 1, 4: _IOCTL_DEVICE - 1}  # by version
_ALL_FILE_RIGHTS = (_IOCTL_DEVICE << 1) - 1
_ALL_TCP, _ALL_SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
_CREATE_GIVES_VERSION = 1
_BENEATH = 1

OLDEST = 3
"""The first version that stops files from being cut to nothing."""


def version() -> int:
    """The version that the kernel has; OSError where it has none."""
    return kernel.call("landlock_create_ruleset", None, 0, _CREATE_GIVES_VERSION)


def confine(
    *, readable: Iterable[str], listable: Iterable[str], writable: Iterable[str], devices: Iterable[str]
) -> None:
    """Leave this process only these files and what lies beneath them; sockets and foreign signals too where it can.

    ``listable`` folders give the names in them, not the content. Raises OSError where the kernel has no Landlock, or
    one older than `OLDEST`.
    """
    has = version()
    if has < OLDEST:
        raise OSError(f"Landlock is version {has}; {OLDEST} is needed")
    handled = _FILE_RIGHTS.get(has, _ALL_FILE_RIGHTS)
    ruleset = _ruleset(has, handled)
    scratch = handled & ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _MAKE_SOCK | _IOCTL_DEVICE)
    grants = [(readable, _READ_FILE | _READ_DIR), (listable, _READ_DIR), (writable, scratch)]
    for paths, rights in [*grants, (devices, _READ_FILE | _WRITE_FILE)]:
        for path in paths:
            _grant(ruleset, path, rights)
    kernel.call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)


def _ruleset(has: int, handled: int) -> int:
    attributes = struct.pack("=Q", handled)
    if has >= 4:
        attributes += struct.pack("=Q", _ALL_TCP)
    if has >= 6:
        attributes += struct.pack("=Q", _ALL_SCOPES)
    return kernel.call("landlock_create_ruleset", attributes, len(attributes), 0)


def _grant(ruleset: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112  (the child starts without pathlib, which is slow to import)
            rights &= ~_READ_DIR
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle))
        kernel.call("landlock_add_rule", ruleset, _BENEATH, rule, 0)
    finally:
        os.close(handle)
