"""Killing a process with all that descends from it, as /proc tells of them."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

_ROUNDS_MAX: Final = 20
_PARENT: Final = 1
"""The field after the state, which follows the name in parentheses (proc_pid_stat(5))."""


def kill_tree(process: int) -> None:
    """Kill a process and its descendants.

    They are stopped first, parents before children: what stands still begins nothing more, and
    its children do not become another's.
    """
    found: set[int] = {process}
    _send(found, signal.SIGSTOP)
    for _ in range(_ROUNDS_MAX):
        more = _children_of(found) - found
        if not more:
            break
        _send(more, signal.SIGSTOP)
        found |= more
    _send(found, signal.SIGKILL)


def _children_of(parents: set[int]) -> set[int]:
    children: set[int] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                if int(fields[_PARENT]) in parents:
                    children.add(int(folder.name))
    return children


def _send(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(OSError):
            os.kill(process, number)
