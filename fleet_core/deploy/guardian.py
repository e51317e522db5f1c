"""The guardian: a small program that clears up after another one, however that one ended.

It is started by `fleet_core.deploy.guard` in a session of its own, owns the run directory, and
reads orders from standard input, a pipe whose other end only the guarded program holds. The end of
that pipe is the sign: the kernel closes it even where the guarded program was killed by signal 9.
Then the guardian ends every process it was told of, removes the directory and exits.

One order a line: ``watch PID`` and ``forget PID``. What is watched is the pid together with its
start time, since a pid alone may be given again to a stranger. The first line on standard output is
the run directory.

It is run by path and imports nothing but the standard library, so that it starts in a few
milliseconds and holds little memory for as long as the guarded program lives.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TERMINATE_GRACE_S = 2.0
"""How long a process may take to end after SIGTERM before it gets SIGKILL."""
REMOVE_DEADLINE_S = 5.0
POLL_S = 0.02
DIRECTORY_PREFIX = "fleet-"
_STAT_STATE = 0
_STAT_STARTTIME = 19


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it has ended.

    From ``/proc/PID/stat`` (proc(5)): the command's name stands in parentheses and may hold
    anything, so the fields are counted from the last one of them. A zombie has ended: it only
    waits for its parent to read its exit code.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(b")")[2].split()
    if fields[_STAT_STATE] in (b"Z", b"X"):
        return None
    return int(fields[_STAT_STARTTIME])


def read_orders(lines: Iterable[str]) -> dict[int, int]:
    """Follow the orders until the pipe's end; return the start time of each process to end."""
    watched: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["watch", pid] if (start := start_ticks(int(pid))) is not None:
                watched[int(pid)] = start
            case ["forget", pid]:
                watched.pop(int(pid), None)
    return watched


def end_processes(watched: dict[int, int], grace_s: float = TERMINATE_GRACE_S) -> None:
    """Ask each process to end; kill those that have not after ``grace_s``."""
    _signal_all(watched, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _alive(watched) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    _signal_all(watched, signal.SIGKILL)
    deadline = time.monotonic() + grace_s
    while _alive(watched) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _alive(watched: dict[int, int]) -> list[int]:
    return [pid for pid, start in watched.items() if start_ticks(pid) == start]


def _signal_all(watched: dict[int, int], signum: signal.Signals) -> None:
    for pid in _alive(watched):
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue  # it ended in between, which is what is wanted


def remove_directory(directory: Path, deadline_s: float = REMOVE_DEADLINE_S) -> bool:
    """Remove the tree; tries again while something is still written into it."""
    deadline = time.monotonic() + deadline_s
    while True:
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)


def main(arguments: list[str]) -> int:
    """Guard until the pipe ends; ``arguments`` may name a directory to take over."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    directory = Path(arguments[0] if arguments else tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
    watched: dict[int, int] = {}
    try:
        sys.stdout.buffer.write(os.fsencode(directory) + b"\n")
        sys.stdout.buffer.flush()
        watched = read_orders(sys.stdin)
    finally:  # the parent may be gone before it read the line
        end_processes(watched)
        removed = remove_directory(directory)
    return 0 if removed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
