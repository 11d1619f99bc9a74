"""Attacks by system calls that Python has no name for: made by number, through ctypes, or in machine code."""

from __future__ import annotations

import platform

import pytest

from paperworks.lab.sandbox.inside.syscalls import numbers

LEFT_OUT = {"no Landlock", "root, no namespaces", "nobody, no namespaces"}  # the filter is the same behind all walls

CALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\ncalled = lambda *given: libc.syscall(*given)\n"
NUMBERS = numbers()

# Ending the process: there is no honest reason for these.
ENDS_AT_ONCE = {
    "trace another process": "ptrace, 16, $PARENT, 0, 0",
    "read the memory of another": "process_vm_readv, $PARENT, 0, 0, 0, 0, 0",
    "write the memory of another": "process_vm_writev, $PARENT, 0, 0, 0, 0, 0",
    "take a descriptor of another": "pidfd_getfd, 0, 0, 0",
    "load a program into the kernel": "bpf, 0, 0, 0",
    "watch performance counters": "perf_event_open, 0, 0, -1, -1, 0",
    "handle page faults of the kernel": "userfaultfd, 0",
    "make calls through a ring": "io_uring_setup, 8, 0",
    "read a key of the kernel": "keyctl, 0, -3, 0",
    "add a key to the kernel": "add_key, b'user', b'x', b'y', 1, -3",
    "mount": "mount, b'none', b'/scratch', b'tmpfs', 0, 0",
    "unmount": "umount2, b'/', 2",
    "enter a new user namespace": "unshare, 0x10000000",
    "join a namespace": "setns, 0, 0",
    "change its root": "chroot, b'/'",
    "exchange its root": "pivot_root, b'/', b'/'",
    "clone a mount": "open_tree, -100, b'/', 1",
    "open a file by handle": "open_by_handle_at, -100, 0, 0",
    "set the clock": "clock_settime, 0, 0",
    "load a module": "init_module, 0, 0, b''",
    "stop the machine": "reboot, 0, 0, 0, 0",
    "swap": "swapoff, b'/none'",
    "keep accounts": "acct, 0",
}  # fmt: skip
FAILS = {
    "make a socket": "socket, 2, 1, 0",
    "make a file in memory": "memfd_create, b'x', 0",
    "start a program": "execve, b'/bin/true', 0, 0",
    "start a program in another folder": "execveat, -100, b'/bin/true', 0, 0, 0",
    "start a process in a form that cannot be looked into": "clone3, 0, 0",
    "start a process in new namespaces": "clone, 0x10000011, 0, 0, 0, 0",
    "change the filter": "seccomp, 1, 0, 0",
    "change how it is treated": "prctl, 22, 2, 0, 0, 0",
    "outlive its parent": "prctl, 1, 0, 0, 0, 0",
    "let itself be dumped": "prctl, 4, 1, 0, 0, 0",
    "change its personality": "personality, 0x0400000",
    "change its file rules": "landlock_create_ruleset, 0, 0, 1",
    "type into a terminal": "ioctl, 0, 0x5412, b'x'",
    "regain capabilities": "capset, 0, 0",
    "become another user": "setresuid, 0, 0, 0",
}


def in_code(call: str) -> str:
    name, _, given = call.partition(", ")
    made = f"{CALL}answer = called({NUMBERS[name]}, {given})\n"
    return made + "print('ESCAPED' if answer >= 0 else ctypes.get_errno())"


@pytest.mark.parametrize("call", [pytest.param(call, id=f"must not {name}") for name, call in ENDS_AT_ONCE.items()])
def test_ends_the_process(call, check_attack):
    assert check_attack(in_code(call), "refused").stdout == ""


@pytest.mark.parametrize("call", [pytest.param(call, id=f"must not {name}") for name, call in FAILS.items()])
def test_fails(call, check_attack):
    assert check_attack(in_code(call), "ok").stdout.strip() in {"1", "38"}  # EPERM, ENOSYS


def test_a_number_that_no_kernel_had_when_this_was_written_fails(check_attack):
    assert check_attack(f"{CALL}print(called(9999), ctypes.get_errno())", "ok").stdout == "-1 1\n"


MACHINE_CODE = (
    "import ctypes, mmap\n"
    "page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
    "page.write(bytes.fromhex({code!r}))\n"
    "start = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
    "if ctypes.CFUNCTYPE(ctypes.c_int)(start)() > 0: print('ESCAPED')\n"
)
# getpid by another door; each is a few bytes of x86-64, so there is one door more to close on that machine
OTHER_DOORS = {
    "x86_64": {"the 32-bit interrupt": "b814000000cd80c3", "the x32 numbers": "b8270000400f05c3"},
    "aarch64": {},
}


@pytest.mark.parametrize(
    "code", [pytest.param(code, id=door) for door, code in OTHER_DOORS[platform.machine()].items()]
)
def test_calls_must_not_come_in_by_another_door(check_attack, code):
    check_attack(MACHINE_CODE.format(code=code), "refused")


def test_a_crash_must_not_leave_a_core(check_attack):
    result = check_attack("import ctypes\nctypes.string_at(0)", "killed")
    assert result.signal == 11
