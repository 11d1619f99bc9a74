"""A PostgreSQL server of the test's own, on loopback, which the test may stop, start and kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paperworks.tutor_copilot.server_process import free_port

UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""


@dataclass
class Postgres:
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://tutor@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=60"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"), check=False)

    def kill(self) -> None:
        """SIGKILL to the server process; what it had promised must be in its log of writes."""
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        self.stop()  # its children end when they notice

    def make(self) -> None:
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "tutor", "-A", "trust", "-N", "-E", "UTF8")

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(_programs() / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=nogroup", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=50, check=False)
        assert not check or done.returncode == 0, f"{program}: {done.stdout[-800:]}{done.stderr[-800:]}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="tutor-postgres-"))  # not pytest's: only root may enter those
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
    it = Postgres(folder, free_port())
    try:
        it.make()
        it.start()
        yield it
    finally:
        it.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    assert initdb, "tests of several workers need PostgreSQL: install the package 'postgresql'"
    return Path(initdb).parent
