"""The list of system calls that untrusted code may make, as a seccomp filter for the kernel.

Whatever is not listed fails with EPERM, so that a program that merely tries is told so; what has no use but to break
out ends the process at once. Calls that are harmless only with some arguments are held to these.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from .syscalls import numbers

_ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev open openat close close_range stat fstat lstat newfstatat statx
lseek mmap mprotect munmap brk mremap madvise mincore rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending
rt_sigsuspend rt_sigtimedwait sigaltstack access faccessat faccessat2 pipe pipe2 select pselect6 poll ppoll epoll_create
epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 sched_yield sched_getaffinity dup dup2 dup3 nanosleep
clock_nanosleep clock_gettime clock_getres gettimeofday time alarm setitimer getitimer pause getpid gettid getppid
getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp getpgid getsid getcwd chdir fchdir readlink
readlinkat getdents64 uname sysinfo getrusage times getrlimit futex set_robust_list get_robust_list rseq set_tid_address
arch_prctl exit exit_group wait4 waitid getrandom membarrier sendfile copy_file_range statfs fstatfs fadvise64 umask
getcpu restart_syscall recvfrom shutdown getsockname getpeername getsockopt flock fsync fdatasync
"""
# Without a file system of its own the code writes nowhere, so none of these has an honest use.
_WRITING = """
rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat symlink symlinkat chmod fchmod fchmodat
utimensat truncate ftruncate fallocate
"""
_FATAL = """
ptrace process_vm_readv process_vm_writev pidfd_getfd bpf perf_event_open userfaultfd io_uring_setup io_uring_enter
io_uring_register keyctl add_key request_key mount umount2 pivot_root chroot unshare setns move_mount open_tree fsopen
mount_setattr open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff
iopl ioperm settimeofday clock_settime acct quotactl fanotify_init modify_ldt
"""
_ABSENT = ("clone3", "openat2")  # the C library falls back to calls whose arguments can be looked at

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

_CLONE_NAMESPACES = 0x7E020080
_CLONE_THREAD = 0x00010900  # CLONE_THREAD | CLONE_SIGHAND | CLONE_VM
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicate, flags, locks; not F_SETOWN, which sends signals to others
_AF_UNIX, _SOCK_STREAM, _SOCK_KIND = 1, 1, 0xF

Instruction = tuple[int, int, int, int]


def build(*, machine: str, process: int, may_write: bool, may_fork: bool) -> bytes:
    """The filter for ``machine`` as an array of ``struct sock_filter``.

    ``process`` is the process that will run under it: the only one that it may signal, unless it ``may_fork``.
    """
    known = numbers(machine)
    allowed = f"{_ALLOWED} {_WRITING if may_write else ''} {'fork vfork' if may_fork else ''}"
    rules = {name: [_give(_ALLOW)] for name in allowed.split()}
    rules |= {name: [_give(_KILL)] for name in _FATAL.split()}
    rules |= {name: [_give(_ERRNO | errno.ENOSYS)] for name in _ABSENT}
    rules |= _held_to_arguments(process, may_fork)
    program = _only_this_machine(machine)
    for name, rule in rules.items():
        if name in known:
            program += [(_EQUAL, 0, len(rule), known[name]), *rule]
    program.append(_give(_ERRNO | errno.EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _held_to_arguments(process: int, may_fork: bool) -> dict[str, list[Instruction]]:
    itself = [_give(_ALLOW)] if may_fork else _one_of(0, [process])
    new_task = _require(0, 0, mask=_CLONE_NAMESPACES) + (
        [_give(_ALLOW)] if may_fork else _one_of(0, [_CLONE_THREAD], mask=_CLONE_THREAD)
    )
    return {
        "clone": new_task,
        "kill": itself,
        "tgkill": itself,
        "ioctl": _one_of(1, _IOCTLS),
        "fcntl": _one_of(1, _FCNTLS),
        "prlimit64": [*_require(0, 0), *_require_null(2), _give(_ALLOW)],  # reading its own limits
        "socketpair": [*_require(0, _AF_UNIX), *_require(1, _SOCK_STREAM, mask=_SOCK_KIND), _give(_ALLOW)],
        "sendto": [*_require_null(4), _give(_ALLOW)],  # to the other end of a pair, to no address
    }


def _only_this_machine(machine: str) -> list[Instruction]:
    """Numbers mean what the table says: no other calling convention (32 bit, x32) passes. The number stays loaded."""
    gate = [(_LOAD, 0, 0, _ARCH_AT), (_EQUAL, 1, 0, _AUDIT_ARCH[machine]), _give(_KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    if machine == "x86_64":
        gate += [(_AND, 0, 0, _X32_BIT), (_EQUAL, 1, 0, 0), _give(_KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    return gate


def _one_of(argument: int, values: Iterable[int], mask: int = 0xFFFFFFFF) -> list[Instruction]:
    """Allow the call where the low half of an argument, masked, is one of ``values``; else EPERM."""
    rule = _load(argument, mask)
    for value in values:
        rule += [(_EQUAL, 0, 1, value), _give(_ALLOW)]
    return [*rule, _give(_ERRNO | errno.EPERM)]


def _require(argument: int, value: int, mask: int = 0xFFFFFFFF, high: bool = False) -> list[Instruction]:
    """Go on where half of an argument, masked, is ``value``; else EPERM."""
    return [*_load(argument, mask, high), (_EQUAL, 1, 0, value), _give(_ERRNO | errno.EPERM)]


def _require_null(argument: int) -> list[Instruction]:
    return _require(argument, 0) + _require(argument, 0, high=True)


def _load(argument: int, mask: int, high: bool = False) -> list[Instruction]:
    return [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument + 4 * high), (_AND, 0, 0, mask)]


def _give(verdict: int) -> Instruction:
    return (_RETURN, 0, 0, verdict)
