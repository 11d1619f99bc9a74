"""What a run costs beyond the code itself: ``python -m paperworks.lab.sandbox.bench``.

An empty run is timed beside the start of a bare interpreter and beside one that imports what the child imports, which
is the least that a child without walls would take.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from paperworks.lab.timing import Comparison, compare

from .running import run
from .walls import describe

_IMPORTS = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from inside import launch"


def measure(repeats: int = 21) -> Comparison:
    """Seconds of an empty run, beside those of an interpreter without walls, in ``repeats`` interleaved rounds."""
    return compare(
        lambda: run(""),
        {"a bare interpreter": _started("pass"), "an interpreter that imports the same": _started(_IMPORTS)},
        repeats=repeats,
    )


def main(repeats: int = 21) -> None:
    """Print the walls of this machine, and what they cost."""
    print(describe())
    found = measure(repeats)
    print(f"an empty run: {found.ours_s * 1e3:.1f} ms (median of {repeats})")
    for name, peer in found.peers.items():
        print(
            f"{name}: {peer.seconds * 1e3:.1f} ms; a run takes {peer.ratio:.2f} [{peer.low:.2f}, {peer.high:.2f}] times"
        )


def _started(code: str) -> Callable[[], object]:
    command = [sys.executable, "-s", "-S", "-P", "-c", code]
    return lambda: subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
