"""Attacks on files: nothing outside the scratch folder is written, and nothing but the standard library is read.

What each must not do is its name; where it can be shown without harm, the attack is first seen to work unconfined.
"""

from __future__ import annotations

import os

import pytest

from paperworks.lab.sandbox import Limits

MUST_NOT = {
    "read a file of the user": "print('ESCAPED', open($SECRET_FILE).read())",
    "list a folder of the user": "import os\nos.listdir($FOLDER)\nprint('ESCAPED')",
    "read /etc/passwd": "print('ESCAPED', open('/etc/passwd').read())",
    "list the root": "import os\nif 'proc' not in (found := os.listdir('/')): raise OSError(found)\nprint('ESCAPED')",
    "list home folders": "import os\nos.listdir('/home')\nprint('ESCAPED')",
    "read its own environment from /proc": "print('ESCAPED', open('/proc/self/environ').read())",
    "read the parent's environment from /proc": "print('ESCAPED', open('/proc/$PARENT/environ').read())",
    "read the parent's memory map": "print('ESCAPED', open('/proc/$PARENT/maps').read())",
    "reach files through the parent's root": "print('ESCAPED', open('/proc/$PARENT/root/etc/passwd').read())",
    "learn the parent's working folder": "import os\nprint('ESCAPED', os.readlink('/proc/$PARENT/cwd'))",
    "list processes": "import os\nprint('ESCAPED', os.listdir('/proc'))",
    "read kernel settings": "print('ESCAPED', open('/proc/sys/kernel/pid_max').read())",
    "list devices in /sys": "import os\nprint('ESCAPED', os.listdir('/sys/class'))",
    "read through a symbolic link": (
        "import os\n"
        "os.symlink($SECRET_FILE, 'link')\n"
        "print('ESCAPED', open('link').read())"
    ),
    "read by climbing out of its folder": (
        "import os\n"
        "for _ in range(40): os.chdir('..')\n"
        "print('ESCAPED', open($SECRET_FILE[1:]).read())"
    ),
    "read relative to an open folder": (
        "import os\n"
        "folder = os.open('/', os.O_RDONLY | os.O_DIRECTORY)\n"
        "print('ESCAPED', os.read(os.open($SECRET_FILE[1:], os.O_RDONLY, dir_fd=folder), 100))"
    ),
    "write in /dev/shm": (
        "import os\n"
        "open('/dev/shm/paperworks-attack', 'w').close()\n"
        "os.unlink('/dev/shm/paperworks-attack')\n"
        "print('ESCAPED')"
    ),
    "write in /tmp": (
        "import os\n"
        "open('/tmp/paperworks-attack', 'w').close()\n"
        "os.unlink('/tmp/paperworks-attack')\n"
        "print('ESCAPED')"
    ),
    "open a terminal": "import os\nos.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)\nprint('ESCAPED')",
}  # fmt: skip
MUST_NOT_EITHER = {
    "write a file of the user": "open($SECRET_FILE, 'w').write('ESCAPED')",
    "cut a file of the user": "import os\nos.truncate($SECRET_FILE, 0)\nprint('ESCAPED')",
    "add to a folder of the user": "open($FOLDER + '/new', 'w')\nprint('ESCAPED')",
    "rename a file of the user": "import os\nos.rename($SECRET_FILE, $FOLDER + '/moved')\nprint('ESCAPED')",
    "remove a file of the user": "import os\nos.unlink($SECRET_FILE)\nprint('ESCAPED')",
    "change rights on a file of the user": "import os\nos.chmod($SECRET_FILE, 0o777)\nprint('ESCAPED')",
    "change times of a file of the user": "import os\nos.utime($SECRET_FILE, (0, 0))\nprint('ESCAPED')",
    "link a file of the user to itself": "import os\nos.link($SECRET_FILE, 'hard')\nprint('ESCAPED')",
    "write beside its folder": "open('../new', 'w')\nprint('ESCAPED')",
    "write in the standard library": "import os\nopen(os.path.dirname(os.__file__) + '/new.py', 'w')\nprint('ESCAPED')",
    "see other packages": "import numpy\nprint('ESCAPED')",
    "make a device": "import os\nos.mknod('disk', 0o60600, os.makedev(254, 0))\nprint('ESCAPED')",
    "make a socket file": "import os\nos.mknod('socket', 0o140600)\nprint('ESCAPED')",
    "write kernel memory": "open('/dev/mem', 'rb')\nprint('ESCAPED')",
    "use a terminal": "open('/dev/tty')\nprint('ESCAPED')",
    "unpack an archive outwards": (
        "import io, tarfile\n"
        "archive = io.BytesIO()\n"
        "with tarfile.open(fileobj=archive, mode='w') as tar:\n"
        "    tar.addfile(tarfile.TarInfo('../../..' + $FOLDER + '/new'))\n"
        "archive.seek(0)\n"
        "tarfile.open(fileobj=archive).extractall('.')\n"
        "print('ESCAPED')"
    ),
}  # fmt: skip


def test_would_succeed_outside(shown_attack, check_outside):
    check_outside(shown_attack)


def test_fails(attack, check_attack):
    result = check_attack(attack, "error")
    assert result.error.type in {"PermissionError", "FileNotFoundError", "OSError", "ModuleNotFoundError"}


def test_must_not_use_a_descriptor_of_the_parent(check_attack, treasure):
    code = (
        "import os, stat\n"
        "for descriptor in range(256):\n"
        "    try: mode = os.fstat(descriptor).st_mode\n"
        "    except OSError: continue\n"
        "    if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor): print('ESCAPED', descriptor)\n"
        "    if stat.S_ISREG(mode):\n"
        "        print(os.read(descriptor, 100))\n"
        "        try: os.write(descriptor, b'x')\n"
        "        except OSError: continue\n"
        "        print('ESCAPED', descriptor)\n"
    )
    with treasure.file.open("rb+") as leaked:
        os.set_inheritable(leaked.fileno(), True)
        assert check_attack(code, "ok", stdin="the input").stdout == "b'the input'\n"


class TestDisk:
    """With a file system of its own a run may write, in memory that ends with it."""

    @pytest.fixture
    def check_attack(self, check_attack, parent):
        if "namespaces" in parent.without:
            return lambda code, ends, **given: check_attack(code, "error")
        return check_attack

    @pytest.mark.parametrize(
        "code",
        [
            pytest.param("with open('big', 'wb') as f:\n    while True: f.write(bytes(1 << 16))", id="one big file"),
            pytest.param(
                "for n in range(10**6):\n    with open(f'f{n}', 'wb') as f: f.write(bytes(1 << 16))", id="many files"
            ),
            pytest.param("for n in range(10**6): open(f'f{n}', 'wb').close()", id="many names"),
            pytest.param("open('sparse', 'wb').truncate(1 << 40)", id="a sparse file"),
            pytest.param(
                "import os\nos.posix_fallocate(os.open('f', os.O_CREAT | os.O_RDWR), 0, 1 << 40)", id="an allocation"
            ),
        ],
    )
    def test_must_not_fill_the_disk(self, check_attack, code):
        result = check_attack(code, "error", limits=Limits(disk=1 << 20))
        assert result.error.type in {"OSError", "PermissionError"}

    def test_scratch_is_gone_after_the_run(self, check_attack, parent):
        code = "import os\nprint('ESCAPED') if os.path.exists('left') else open('left', 'w').write('x')"
        for _ in range(2):
            check_attack(code, "error" if "namespaces" in parent.without else "ok")

    def test_without_disk_nothing_is_written(self, check_attack):
        assert check_attack("open('f', 'w')", "error", limits=Limits(disk=0)).error.type in {
            "OSError",
            "PermissionError",
        }
