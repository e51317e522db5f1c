"""The terminal UI under load: ``python -m tests.bench tui [--devices N --rate R] [--seconds S]``.

Runs the real `fleet-tui` on a pty of 200 by 50 cells against a real nats-server that holds N
devices with three deployments each and takes R heartbeats a second. Key to paint is from the write
of ``j`` to the pty until the cursor's glyph comes out of it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import random
import re
import select
import shlex
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from tests.support.nats_server import NatsServer
from tests.support.terminal import REPOSITORY, terminal_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

COLUMNS, LINES = 200, 50
SCALES = ((10_000, 350.0), (100_000, 3_500.0))
CURSOR = "▸".encode()
_ESCAPE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[PX^_].*?\x1b\\|.)")
_KEPT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    devices: int
    heartbeats_per_s: float
    first_paint_s: float
    devices_shown_s: float
    all_read_s: float
    """Until every bucket has been read, deployments' states too."""
    key_p50_ms: float
    key_p99_ms: float
    cpu_percent: float
    """Of one core, while nobody types."""
    kilobytes_per_s: float
    """To the terminal, while nobody types."""
    rss_mb: float


HEADINGS = (
    "devices",
    "beats/s",
    "first paint s",
    "devices s",
    "all read s",
    "key p50 ms",
    "key p99 ms",
    "CPU %",
    "kB/s",
    "RSS MB",
)


class RawPty:
    """A program on a pty whose bytes are looked at as they come: no terminal is emulated."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.started_at = time.perf_counter()
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=terminal_environment(),
            cwd=REPOSITORY,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""
        """The last of what it wrote."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            while self.process.poll() is None:
                self.read(0.1)
        os.close(self._master)

    def read(self, timeout_s: float) -> bytes:
        """Return what comes first within ``timeout_s``; nothing, if nothing does."""
        if not select.select([self._master], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._master, 1 << 20)
        except OSError:
            time.sleep(timeout_s)  # it has ended: there is nothing to wait on
            return b""
        self.seen = (self.seen + data)[-_KEPT_BYTES:]
        return data

    def drain(self, seconds: float) -> int:
        """Read for a while; return how many bytes came."""
        until = time.perf_counter() + seconds
        count = 0
        while (left := until - time.perf_counter()) > 0:
            count += len(self.read(left))
        return count

    def text(self) -> str:
        """Return what it wrote, without escape sequences."""
        return _ESCAPE.sub(b"", self.seen).decode(errors="replace")

    def wait_for(self, pattern: str, timeout_s: float) -> float:
        """Return when a text matching the pattern came, in seconds from the start."""
        until = time.perf_counter() + timeout_s
        while not re.search(pattern, self.text()):
            if time.perf_counter() > until or self.process.poll() is not None:
                raise SystemExit(f"{pattern!r} never came; the last was:\n{self.text()[-2_000:]}")
            self.read(0.05)
        return time.perf_counter() - self.started_at

    def press_until_painted(self, key: bytes) -> float:
        """Press a key; return the seconds until the cursor's line was painted."""
        pressed_at = time.perf_counter()
        os.write(self._master, key)
        came = b""
        while CURSOR not in came:
            came += self.read(2.0)
            if time.perf_counter() - pressed_at > 2.0:
                raise SystemExit(f"key {key!r} was never painted:\n{self.text()[-2_000:]}")
        return time.perf_counter() - pressed_at


@contextlib.contextmanager
def live_fleet(devices: int, heartbeats_per_s: float) -> Iterator[str]:
    """A real server with a fleet in it that sends heartbeats; gives its URL."""
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        command = [sys.executable, "-m", "tests.bench.tui_feed", server.url]
        feed = subprocess.Popen(
            [*command, str(devices), str(heartbeats_per_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        try:
            if feed.stdout is None or feed.stdout.readline() != b"loaded\n":
                raise SystemExit("the feed could not load the fleet")
            yield server.url
        finally:
            feed.communicate()
            server.stop()


def measure(
    program: Sequence[str], devices: int, heartbeats_per_s: float, seconds: float, keys: int
) -> Figures:
    """Run the terminal UI once, and return what was measured."""
    with (
        live_fleet(devices, heartbeats_per_s) as url,
        RawPty([*program, "--nats", url]) as pty,
    ):
        first_paint_s = pty.wait_for(r"\S", 20)
        devices_shown_s = pty.wait_for(rf"\b{devices:,} devices", 60)
        all_read_s = pty.wait_for(r"\d ev/s", 120)
        pty.drain(3.0)
        process = psutil.Process(pty.process.pid)
        before, began = process.cpu_times(), time.perf_counter()
        idle_bytes = pty.drain(seconds)
        after, lasted_s = process.cpu_times(), time.perf_counter() - began
        waits_ms = sorted(_key_waits_ms(pty, keys))
        return Figures(
            devices,
            heartbeats_per_s,
            first_paint_s,
            devices_shown_s,
            all_read_s,
            statistics.median(waits_ms),
            waits_ms[int(len(waits_ms) * 0.99)],
            100 * (after.user + after.system - before.user - before.system) / lasted_s,
            idle_bytes / lasted_s / 1_000,
            process.memory_info().rss / 1e6,
        )


def _key_waits_ms(pty: RawPty, keys: int) -> Iterator[float]:
    for _ in range(keys):
        yield pty.press_until_painted(b"j") * 1_000
        pty.drain(random.uniform(0.02, 0.08))


def show(runs: Sequence[Figures]) -> None:
    """Print the figures, a run per line."""
    print("".join(f"{heading:>15}" for heading in HEADINGS))
    for run in runs:
        print(
            f"{run.devices:>15,}{run.heartbeats_per_s:>15,.0f}{run.first_paint_s:>15.2f}"
            f"{run.devices_shown_s:>15.2f}{run.all_read_s:>15.2f}{run.key_p50_ms:>15.1f}"
            f"{run.key_p99_ms:>15.1f}"
            f"{run.cpu_percent:>15.1f}{run.kilobytes_per_s:>15.2f}{run.rss_mb:>15.0f}"
        )


def main(argv: list[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench tui", description=__doc__)
    parser.add_argument("--devices", type=int)
    parser.add_argument("--rate", type=float, help="heartbeats a second (default: devices / 28.6)")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to watch it idle")
    parser.add_argument("--keys", type=int, default=300, help="how many keys to press")
    parser.add_argument(
        "--program",
        default=f"{sys.executable} -m fleet_tui",
        help="what to run in place of this tree's fleet-tui",
    )
    options = parser.parse_args(argv)
    scales: Sequence[tuple[int, float]] = SCALES
    if options.devices:
        scales = ((options.devices, options.rate or options.devices * 0.035),)
    program = shlex.split(options.program)
    runs = [
        measure(program, devices, rate, options.seconds, options.keys) for devices, rate in scales
    ]
    show(runs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
