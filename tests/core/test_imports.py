"""`paperworks.core` needs nothing but Python: what it loads, seen in a process of its own."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
before = set(sys.modules)
import paperworks.core
print(*sorted(set(sys.modules) - before), sep="\\n")
"""


def test_core_loads_only_the_standard_library_and_itself() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=30)
    loaded = done.stdout.split()
    ours = {name for name in loaded if name.split(".")[0] == "paperworks"}
    strangers = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names} - ours
    assert not strangers
    assert "paperworks.core.verdict" in ours
    assert all(name == "paperworks" or f"{name}.".startswith("paperworks.core.") for name in ours)
