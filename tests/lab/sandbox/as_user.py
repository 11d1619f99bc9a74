"""A parent of sandboxed runs that is another user: takes requests on standard input, answers on standard output.

Started as root, it stays root or becomes ``nobody``, in a mount namespace of its own in which the interpreter and the
sources can be read by everybody (root's may lie in a closed home).
"""

import os
import pickle
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from paperworks.lab import sandbox
from paperworks.lab.sandbox import running, walls
from paperworks.lab.sandbox.inside import kernel

_NEW_MOUNTS, _PRIVATE_ALL = 0x20000, (1 << 18) | (1 << 14)
_AT_FDCWD, _CLONE_ALL, _MOVE_FROM_HANDLE = -100, 1 | 0x8000, 0x4
NOBODY = 65534


def answer(request: tuple[str, tuple[str, ...], dict[str, Any]]) -> Any:
    """Do ``request``: a function of the sandbox, which layers to do without, and what to give it."""
    function, without, given = request
    here = walls.walls()
    reduced = walls.Walls(
        tuple(layer for layer in here.standing if layer not in without),
        here.missing | dict.fromkeys(without, "a test does without it"),
    )
    running.walls = lambda: reduced
    try:
        return getattr(sandbox, function)(**given)
    except Exception as error:
        return error
    finally:
        running.walls = walls.walls


def serve(user: str) -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _reveal([Path(sys.base_prefix), Path(sys.prefix), Path(sandbox.__file__).parents[3]])
    if user == "nobody":
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(answer(request), answers)
        answers.flush()


def _reveal(paths: list[Path]) -> None:
    kernel.unshare(_NEW_MOUNTS)
    kernel.mount(None, "/", _PRIVATE_ALL)
    behind = defaultdict(list)
    for path in paths:
        if closed := [folder for folder in reversed(path.parents) if not folder.stat().st_mode & 1]:
            behind[closed[0]].append((path, kernel.call("open_tree", _AT_FDCWD, os.fsencode(path), _CLONE_ALL)))
    for folder, trees in behind.items():
        kernel.mount(b"tmpfs", str(folder), 0, "mode=755")
        for path, tree in trees:
            path.mkdir(parents=True)
            kernel.call("move_mount", tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_FROM_HANDLE)


if __name__ == "__main__":
    serve(sys.argv[1])
