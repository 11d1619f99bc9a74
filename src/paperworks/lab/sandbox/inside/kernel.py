"""Calls to the kernel that Python's ``os`` has no name for, each raising OSError where the kernel says no."""

from __future__ import annotations

import ctypes
import os
import signal

from .syscalls import numbers

_NUMBERS = numbers()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522


def call(name: str, *arguments: object) -> int:
    """The system call ``name``: integers go as longs, bytes and ctypes objects as pointers, None as a null pointer."""
    given = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return _checked(name, _libc.syscall(ctypes.c_long(_NUMBERS[name]), *given))


def unshare(flags: int) -> None:
    """Put this process (for processes: its children) into namespaces of their own."""
    call("unshare", flags)


def mount(kind: bytes | None, target: str, flags: int, options: str = "") -> None:
    """Mount a new file system of ``kind`` at ``target``, or change what is mounted there."""
    call("mount", b"none", os.fsencode(target), kind, flags, options.encode())


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; ends it now where that has happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def forbid_new_privileges() -> None:
    """No program started from here on gains rights by its file (setuid, file capabilities)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide() -> None:
    """No core dump of this process, and no other process of the same user reads its memory."""
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_capabilities() -> None:
    """Give up every capability, for good: nothing is started from here that could bring one back."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def filter_system_calls(program: bytes) -> None:
    """Install a seccomp filter, ``program`` being an array of ``struct sock_filter``."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(Program(len(program) // 8, program)))


def _prctl(option: int, *arguments: object) -> None:
    call("prctl", option, *arguments, *(0,) * (4 - len(arguments)))


def _checked(name: str, answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return answer
