"""A device's deployments as rows: wanted against observed, containers, events, last words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable_lines
from fleet_core.view.filter_terms import deployment_word
from fleet_tui.sources.container_words import container_age_s, container_words
from fleet_tui.table import span_text
from fleet_tui.table.ages import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_core.contracts.states import ContainerStatus, DeploymentState
    from fleet_core.operations.inspect import Inspection
    from fleet_core.view import DesiredRow, FleetView, StateRow
    from fleet_tui.table import Cell

_WORD_STYLES: Final = {"ok": "ok", "pending": "pending", "failed": "failed", "none": "dim"}
_ORDER: Final = ("failed", "pending", "ok", "none")
_EVENTS_SHOWN: Final = 50
_LOG_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A line of the table: a deployment, one of its containers, or an event."""

    key: str
    cells: tuple[Cell, ...]
    deployment: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """One deployment of the device: what is wanted, and what it last said."""

    name: str
    wanted: DesiredRow | None
    """None where the manifest does not name it (any more), or there is no manifest."""
    has_manifest: bool
    row: StateRow | None
    state: DeploymentState | None
    """The whole state, as far as it could be read."""


def observed(view: FleetView, slot: int, found: Inspection | None) -> list[Observed]:
    """Return the wanted deployments and those still told of; first what fails, then by name."""
    devices = view.devices
    manifest, rows = devices.desired[slot], devices.states[slot]
    wanted = manifest or {}
    names = sorted({*wanted, *rows})
    names.sort(key=lambda name: _ORDER.index(deployment_word(devices, slot, name)))
    return [
        Observed(
            name,
            wanted.get(name),
            has_manifest=manifest is not None,
            row=rows.get(name),
            state=_state(rows.get(name), name, found),
        )
        for name in names
    ]


def _state(row: StateRow | None, name: str, found: Inspection | None) -> DeploymentState | None:
    """Return the newest whole state: the read model keeps it while it fails, else it was read."""
    kept = row.detail if row is not None else None
    read = found.states.get(name) if found is not None else None
    if kept is None or read is None:
        return kept or read
    return read if read.last_event_at >= kept.last_event_at else kept


def report_rows(view: FleetView, slot: int, found: Inspection | None) -> list[ReportRow]:
    """Return the lines of the table: deployments with their containers, then the last events."""
    rows: list[ReportRow] = []
    for each in observed(view, slot, found):
        rows.append(_deployment_row(view, slot, each))
        if each.state is not None:
            rows += _container_rows(each.name, each.state, view.now_s)
    return [*rows, *_event_rows(view, view.devices.ids[slot])]


def _deployment_row(view: FleetView, slot: int, each: Observed) -> ReportRow:
    row = each.row
    word = deployment_word(view.devices, slot, each.name)
    reason = (row.reason or row.phase) if row is not None else "nothing reported"
    behind = wanted_words(each)
    cells: tuple[Cell, ...] = (
        (each.name, "strong"),
        (reason, _WORD_STYLES[word]),
        (str(row.restarts), "warning") if row is not None and row.restarts else ("", "dim"),
        (span_text(max(0.0, view.now_s - row.at_s)) if row else "", "dim"),
        ("", "dim"),
        behind,
    )
    return ReportRow(f"deployment/{each.name}", cells, each.name)


def wanted_words(each: Observed) -> Cell:
    """Return what is observed against what is wanted: ``runs generation 7, wanted 8``."""
    wanted, row = each.wanted, each.row
    if wanted is None and not each.has_manifest:
        return ("nothing was ordered yet", "dim")
    if wanted is None:
        return ("not wanted any more", "warning")
    if row is None:
        return (f"wanted generation {wanted.generation}", "pending")
    if row.spec_hash == wanted.spec_hash:
        return (f"generation {wanted.generation}, as wanted", "dim")
    if row.generation == wanted.generation:
        return (f"another spec than generation {wanted.generation}", "pending")
    return (f"runs generation {row.generation}, wanted {wanted.generation}", "pending")


def _container_rows(name: str, state: DeploymentState, now_s: float) -> Iterator[ReportRow]:
    inits = state.init_container_statuses
    for number, status in enumerate(inits, start=1):
        yield _container_row(name, status, f"init {number}/{len(inits)}", now_s)
    for status in state.container_statuses:
        yield _container_row(name, status, "service", now_s)


def _container_row(name: str, status: ContainerStatus, kind: str, now_s: float) -> ReportRow:
    words, style = container_words(status)
    started_s, finished_s = container_age_s(status, now_s)
    before = status.last_state.terminated
    more = [kind, status.image]
    if before is not None:
        more.insert(1, f"before: {before.reason or 'ended'}, exit {before.exit_code}")
    waiting = status.state.waiting
    if waiting is not None and waiting.message:
        more.insert(1, waiting.message)
    cells: tuple[Cell, ...] = (
        (f"  {status.name}", "text"),
        (words, style),
        (str(status.restart_count), "warning") if status.restart_count else ("", "dim"),
        (span_text(started_s) if started_s is not None else "", "dim"),
        (span_text(finished_s) if finished_s is not None else "", "dim"),
        (" · ".join(part for part in more if part), "dim"),
    )
    return ReportRow(f"container/{name}/{status.name}", cells, name, status.name)


def _event_rows(view: FleetView, device_id: str) -> Iterator[ReportRow]:
    mine = [event for event in reversed(view.events) if event.device_id == device_id]
    if mine:
        blank: Cell = ("", "dim")
        yield ReportRow("events", (("events", "title"), *([blank] * 5)))
    for number, event in enumerate(mine[:_EVENTS_SHOWN]):
        cells: tuple[Cell, ...] = (
            (f"  {event.deployment or 'device'}", "dim"),
            (event.text, "text"),
            ("", "dim"),
            (span_text(max(0.0, view.now_s - event.at_s)), "dim"),
            ("", "dim"),
            ("", "dim"),
        )
        # Counted from the oldest, so that a new event does not move the cursor off its own.
        yield ReportRow(f"event/{len(mine) - number}", cells, event.deployment)


def last_words(each: Observed) -> tuple[str, tuple[str, ...]]:
    """Return what a deployment has to say: a title, its last error and the failure's log."""
    wanted, row, state = each.wanted, each.row, each.state
    specs = [row.spec_hash or UNKNOWN] if row is not None else []
    if wanted is not None and wanted.spec_hash not in specs:
        specs.append(f"wanted {wanted.spec_hash}")
    title = f"{each.name}: {wanted_words(each)[0]}  spec {', '.join(specs)}"
    if state is None:
        return title, ()
    lines = [f"error: {state.last_error}"] if state.last_error else []
    if state.failure is not None:
        failure = state.failure
        code = "" if failure.exit_code is None else f", exit code {failure.exit_code}"
        kind = "init container" if failure.init else "container"
        lines.append(f"{kind} {failure.container}: {failure.cause}{code}")
        lines += [f"| {line}" for line in printable_lines(failure.log, limit_lines=_LOG_LINES)]
    return title, tuple(lines)
