"""Where a wall cannot be put up, nothing is run, and one sentence says which."""

from __future__ import annotations

import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.lab import sandbox
from paperworks.lab.sandbox import Limits, SandboxUnavailable, running, supervise, walls
from paperworks.lab.sandbox.inside import layers, seccomp
from paperworks.lab.sandbox.inside.syscalls import numbers


@pytest.fixture
def fresh():
    walls.walls.cache_clear()
    yield
    walls.walls.cache_clear()


@pytest.fixture
def no_child(monkeypatch):
    monkeypatch.setattr(supervise.subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))


@pytest.mark.parametrize("platform", ["darwin", "freebsd14"])
def test_another_system_is_refused(platform, monkeypatch, fresh, no_child):
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(SandboxUnavailable, match=r"seccomp cannot be had \(it needs the Linux kernel"):
        sandbox.run("print('ESCAPED')")
    assert "no code is run here" in sandbox.describe()


def test_another_processor_is_refused(monkeypatch, fresh, no_child):
    monkeypatch.setattr(walls.platform, "machine", lambda: "riscv64")
    with pytest.raises(SandboxUnavailable, match="this is riscv64"):
        list(sandbox.run_many([sandbox.Script(code="")]))


def refusing(*refused):
    """A child whose kernel knows no ``refused`` layer."""

    def tried(job, *_):
        for layer in job.layers:
            if layer in refused:
                raise supervise.Refusal(layer, "the kernel says no")

    return tried


@pytest.mark.parametrize(
    ("refused", "limits", "says"),
    [
        ([layers.SECCOMP], Limits(), "seccomp cannot be had"),
        ([layers.LIMITS], Limits(), "limits cannot be had"),
        ([layers.NAMESPACES, layers.LANDLOCK], Limits(disk=0), "namespaces or Landlock cannot be had"),
        ([layers.NAMESPACES], Limits(), r"limits on disk do not hold; with Limits\(disk=0\)"),
        ([layers.NAMESPACES], Limits(disk=0, processes=2), "limits on processes do not hold"),
        ([layers.NAMESPACES], Limits(disk=0), None),
        ([layers.LANDLOCK], Limits(processes=2), None),
    ],
)
def test_what_cannot_be_kept_is_refused(refused, limits, says, monkeypatch, fresh):
    monkeypatch.setattr(walls.supervise, "supervise", refusing(*refused))
    found = walls.walls()
    assert set(found.missing) == set(refused)
    if says is None:
        found.require(limits)
        return
    monkeypatch.setattr(running, "supervise", lambda *_: pytest.fail("the code was run"))
    with pytest.raises(SandboxUnavailable, match=says):
        sandbox.run("print('ESCAPED')", limits=limits)
    assert "NO   the kernel says no" in sandbox.describe()


def test_a_child_that_cannot_start_is_refused(monkeypatch, fresh):
    monkeypatch.setattr(supervise, "_START", "raise SystemExit('broken')")
    with pytest.raises(SandboxUnavailable, match="broken"):
        sandbox.run("")


def test_a_wall_that_fails_later_stops_that_run_too(monkeypatch):
    """The layers are tried once, but each run puts them up anew, and none is passed over."""
    here = walls.walls()
    assert here.standing
    monkeypatch.setattr(running, "walls", lambda: walls.Walls((*here.standing, layers.NAMESPACES), here.missing))
    monkeypatch.setattr(walls, "_DEVICES", ["/dev/absent"])
    walls._view.cache_clear()
    try:
        with pytest.raises(SandboxUnavailable, match="namespaces cannot be had"):
            sandbox.run("print('ESCAPED')")
    finally:
        walls._view.cache_clear()


def test_the_description_names_every_layer():
    said = sandbox.describe()
    assert all(layer in said for layer in ("namespaces", "Landlock", "seccomp", "limits", "own user"))
    assert "runs are possible" in said


ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = ERRNO | 1, ERRNO | 38
ME = 4242


def decided(machine, call, *arguments, arch=None, **built):
    """What the filter says of a call, by running its program as the kernel does."""
    options = {"process": ME, "may_write": True, "may_fork": False} | built
    program = list(struct.iter_unpack("=HBBI", seccomp.build(machine=machine, **options)))
    number = numbers(machine)[call] if isinstance(call, str) else call
    padded = [argument & (2**64 - 1) for argument in (*arguments, *[0] * 6)][:6]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, arch or ARCH[machine], 0, *padded)
    held, at = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, operand)
        elif code == 0x54:
            held &= operand
        else:
            assert code == 0x15
            at += if_true if held == operand else if_false


@pytest.mark.parametrize("machine", list(ARCH))
class TestFilter:
    @pytest.mark.parametrize(
        ("call", "arguments", "verdict"),
        [
            ("read", (), ALLOW),
            ("execve", (), EPERM),
            ("socket", (2, 1, 0), EPERM),
            ("ptrace", (), KILL),
            ("mount", (), KILL),
            ("clone3", (), ENOSYS),
            ("clone", (0x3D0F00,), ALLOW),
            ("clone", (0x11,), EPERM),
            ("clone", (0x10000000 | 0x3D0F00,), EPERM),
            ("kill", (ME,), ALLOW),
            ("kill", (-1,), EPERM),
            ("kill", (0,), EPERM),
            ("kill", (1,), EPERM),
            ("tgkill", (ME, 5, 6), ALLOW),
            ("tgkill", (1, 1, 9), EPERM),
            ("ioctl", (0, 0x5401), ALLOW),
            ("ioctl", (0, 0x5412), EPERM),
            ("fcntl", (3, 3), ALLOW),
            ("fcntl", (3, 8), EPERM),
            ("prlimit64", (0, 7, 0, 1), ALLOW),
            ("prlimit64", (0, 7, 1 << 40, 0), EPERM),
            ("prlimit64", (1, 7, 0, 1), EPERM),
            ("socketpair", (1, 0x80001), ALLOW),
            ("socketpair", (1, 2), EPERM),
            ("socketpair", (2, 1), EPERM),
            ("sendto", (3, 1, 1, 0, 0, 0), ALLOW),
            ("sendto", (3, 1, 1, 0, 1 << 33, 16), EPERM),
        ],
    )
    def test_verdict(self, machine, call, arguments, verdict):
        assert decided(machine, call, *arguments) == verdict

    def test_another_calling_convention_ends_the_process(self, machine):
        assert decided(machine, "read", arch=0x40000003) == KILL
        if machine == "x86_64":
            assert decided(machine, 0x40000000 | numbers(machine)["read"]) == KILL

    def test_writing_and_forking_are_options(self, machine):
        assert decided(machine, "unlinkat", may_write=False) == EPERM
        assert decided(machine, "unlinkat", may_write=True) == ALLOW
        assert decided(machine, "clone", 0x11, may_fork=True) == ALLOW
        assert decided(machine, "clone", 0x10000011, may_fork=True) == EPERM
        assert decided(machine, "kill", -1, may_fork=True) == ALLOW

    @given(number=st.integers(min_value=450, max_value=2**32 - 1))
    def test_what_is_not_in_the_table_never_passes(self, machine, number):
        assert decided(machine, number) in {EPERM, KILL}
