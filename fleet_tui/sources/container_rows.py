"""A device's deployments and containers as rows, in Kubernetes' words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_core.contracts.states import Phase
from fleet_tui.table import Column, age_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from fleet_core.contracts.devices import ManifestEntry
    from fleet_core.contracts.states import ContainerStatus, DeploymentState
    from fleet_core.operations.inspect import Inspection
    from fleet_tui.table.source import Cell

COLUMNS: Final = (
    Column("name", "DEPLOYMENT / CONTAINER", 22, flex=2, max_width=44),
    Column("kind", "KIND", 8),
    Column("state", "STATE", 18, flex=1, max_width=34),
    Column("ready", "READY", 5),
    Column("restarts", "RST", 4, align="right"),
    Column("since", "SINCE", 5, align="right"),
    Column("generation", "GEN", 7, align="right"),
    Column("image", "IMAGE", 12, flex=2, max_width=60),
    Column("message", "MESSAGE", 10, flex=3),
)
_PHASE_STYLES: Final = {Phase.RUNNING: "ok", Phase.PENDING: "pending", Phase.FAILED: "failed"}
_BAD: Final = ("Error", "BackOff", "Err", "OOM", "Timeout", "Invalid")


def container_rows(found: Inspection, now_s: float) -> Iterator[tuple[str, Sequence[Cell]]]:
    """Return (key, cells) of each deployment and, beneath it, of each of its containers.

    Keys are ``deployment`` and ``deployment/container``.
    """
    wanted = found.manifest.deployments if found.manifest is not None else {}
    for name, entry in sorted(wanted.items()):
        state = found.states.get(name)
        yield name, _deployment_cells(name, entry, state, now_s)
        if state is None:
            continue
        for kind, statuses in (
            ("init", state.init_container_statuses),
            ("service", state.container_statuses),
        ):
            for status in statuses:
                yield f"{name}/{status.name}", _container_cells(status, kind, now_s)


def _deployment_cells(
    name: str, entry: ManifestEntry, state: DeploymentState | None, now_s: float
) -> Sequence[Cell]:
    current = state is not None and state.spec_hash == entry.spec_hash
    phase: Cell = ("nothing reported yet", "pending")
    generation = f"-/{entry.generation}"
    message = ""
    if state is not None:
        words = state.reason or state.phase.value
        phase = (words, "failed" if state.failure else _PHASE_STYLES[state.phase])
        generation = f"{state.generation or '-'}/{entry.generation}"
        message = state.last_error or ""
        if not current:
            message = f"runs another spec than the one wanted. {message}".strip()
    return (
        (name, "strong"),
        ("", "dim"),
        phase,
        ("", "dim"),
        (_restarts(state.restart_count if state is not None else 0)),
        (_age(state.last_event_at if state is not None else None, now_s), "dim"),
        (generation, "text" if current else "warning"),
        (entry.spec_hash, "dim"),
        (message, "failed" if current and state is not None and state.failure else "warning"),
    )


def _container_cells(status: ContainerStatus, kind: str, now_s: float) -> Sequence[Cell]:
    state, last = status.state, status.last_state.terminated
    message, since = "", None
    if state.running is not None:
        words, style, since = "Running", "ok", state.running.started_at
    elif state.terminated is not None:
        ended = state.terminated
        words = f"{ended.reason or 'Terminated'} ({ended.exit_code})"
        style = "ok" if ended.exit_code == 0 else "failed"
        message, since = ended.message, ended.finished_at
    else:
        waiting = state.waiting
        words = (waiting.reason if waiting is not None else "") or "Waiting"
        style = "failed" if any(part in words for part in _BAD) else "pending"
        message = waiting.message if waiting is not None else ""
    if last is not None and state.terminated is None:
        before = f"before: {last.reason or 'ended'} ({last.exit_code})"
        message = f"{message}; {before}" if message else before
    return (
        (f"  {status.name}", "text"),
        (kind, "dim"),
        (words, style),
        ("yes" if status.ready else "no", "ok" if status.ready else "dim"),
        _restarts(status.restart_count),
        (_age(since, now_s), "dim"),
        ("", "dim"),
        (status.image, "dim"),
        (message, "dim"),
    )


def _restarts(count: int) -> Cell:
    return (str(count), "warning") if count else ("", "dim")


def _age(moment: datetime | None, now_s: float) -> str:
    return "" if moment is None else age_text(max(0.0, now_s - moment.timestamp()), fresh_s=0)
