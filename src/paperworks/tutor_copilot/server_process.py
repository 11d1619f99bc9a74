"""A server in a process of its own, for benches and tests that load it from outside, or kill it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil

_PATIENCE_S = 40.0


@dataclass
class ServerProcess:
    """``paperworks tutor-copilot serve`` with ``options``, at a free port unless one is given."""

    database: str
    log: Path
    port: int = 0
    options: tuple[str, ...] = ("--no-demo",)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> ServerProcess:
        """Start it, and wait until it answers. Raises RuntimeError, with the end of its log, where it does not."""
        self.port = self.port or free_port()
        command = [sys.executable, "-m", "paperworks.app.main", "tutor-copilot", "serve", *self.options]
        command += ["--database", self.database, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
        give_up = monotonic() + _PATIENCE_S
        while not self._answers():
            if self.process.poll() is not None or monotonic() > give_up:
                raise RuntimeError(f"the server did not start: {self.log.read_text()[-500:]}")
            sleep(0.05)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as an administrator would; without effect where it has ended."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def rss_mb(self) -> float:
        """The memory that it holds."""
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def _answers(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self.address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
        return False


def free_port() -> int:
    """A port of the loopback that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
