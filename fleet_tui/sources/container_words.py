"""A container's state in Kubernetes' words, with the style that goes with it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from fleet_core.contracts.states import ContainerStatus
    from fleet_tui.table import Cell

_FAILING: Final = ("BackOff", "Error", "InitTimeout", "OOMKilled", "Err", "Invalid")
"""Parts of the reasons with which a container waits because something failed."""


def container_words(status: ContainerStatus) -> Cell:
    """Return the state as ``kubectl get pod`` tells it, in few words, and its style."""
    state = status.state
    if state.running is not None:
        return ("Running", "ok") if status.ready else ("Running, not ready", "pending")
    if state.terminated is not None:
        ended = state.terminated
        reason = ended.reason or ("Completed" if ended.exit_code == 0 else "Error")
        signal = f", signal {ended.signal}" if ended.signal is not None else ""
        style = "ok" if ended.exit_code == 0 else "failed"
        return (f"{reason}, exit {ended.exit_code}{signal}", style)
    reason = state.waiting.reason if state.waiting is not None else ""
    failing = any(part in reason for part in _FAILING)
    return (reason or "Waiting", "failed" if failing else "pending")


def container_age_s(status: ContainerStatus, now_s: float) -> tuple[float | None, float | None]:
    """Return how many seconds ago it was started and ended, by the device's own clock.

    A container that waits to be started again tells of its last run.
    """
    running = status.state.running
    if running is not None:
        return _since(running.started_at, now_s), None
    ended = status.state.terminated or status.last_state.terminated
    if ended is None:
        return None, None
    return _since(ended.started_at, now_s), _since(ended.finished_at, now_s)


def _since(moment: datetime | None, now_s: float) -> float | None:
    return None if moment is None else max(0.0, now_s - moment.timestamp())
