"""Processes as the tests see them: alive or ended, and a program run to be killed."""

from __future__ import annotations

from fleet_core.deploy.guardian import start_ticks


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    return start_ticks(pid) is not None
