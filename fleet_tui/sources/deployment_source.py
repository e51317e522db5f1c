"""The table of Deployments: whom each selects, and how far they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fleet_core.operations.record_filters import matching_deployments
from fleet_core.operations.rollouts.words import phase_words
from fleet_tui.sources.record_source import RecordSource
from fleet_tui.sources.rollout_source import PHASE_STYLES
from fleet_tui.table import Column, Sort, span_text
from fleet_tui.widgets.bars import bar_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.contracts.resources import Aggregate
    from fleet_core.view import DeploymentRow, Filter, FleetView
    from fleet_tui.table.source import Cell

BAR_CELLS: Final = 16


class DeploymentSource(RecordSource["DeploymentRow"]):
    """Deployments by ``namespace/name``."""

    COLUMNS = (
        Column("deployment", "DEPLOYMENT", 12, flex=2, max_width=36),
        Column("progress", "PROGRESS", BAR_CELLS),
        Column("matched", "DEVICES", 8, align="right"),
        Column("ok", "OK", 6, align="right"),
        Column("pending", "PEND", 6, align="right"),
        Column("failed", "FAIL", 6, align="right"),
        Column("offline", "OFFL", 6, align="right"),
        Column("rollout", "ROLLOUT", 11, flex=3, max_width=26),
        Column("generation", "GEN", 5, align="right"),
        Column("age", "AGE", 4, align="right"),
        Column("selector", "SELECTOR", 10, flex=3, max_width=60),
        Column("error", "LAST ERROR", 12, flex=4, max_width=120),
    )

    def __init__(self, view: FleetView, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock, sort=Sort("deployment"))

    @property
    def total(self) -> int:
        """How many Deployments there are."""
        return len(self.view.deployments)

    def state_of_view(self) -> Hashable:
        """Anything but a heartbeat may have changed a Deployment."""
        return self.view.changes

    def find(self, parsed: Filter) -> dict[str, DeploymentRow]:
        """Return the Deployments that match."""
        rows = matching_deployments(parsed, self.view.deployments.values())
        if self.faults_only:
            rows = [row for row in rows if row.aggregate.failed]
        return {f"{row.namespace}/{row.name}": row for row in rows}

    def sort_keys(self) -> Mapping[str, Callable[[DeploymentRow], Any]]:
        """Return what Deployments are sorted by."""
        return {
            "deployment": lambda row: (row.name, row.namespace),
            "matched": lambda row: row.aggregate.matched_device_count,
            "ok": lambda row: row.aggregate.succeeded,
            "pending": lambda row: row.aggregate.pending,
            "failed": lambda row: row.aggregate.failed,
            "offline": lambda row: row.aggregate.offline,
            "age": lambda row: -_created_s(row),
        }

    def cells_of(self, record: DeploymentRow) -> Sequence[Cell]:
        """Return the cells of a Deployment."""
        counts, wanted = record.aggregate, record.resource.metadata.generation
        behind = record.observed_generation != wanted
        error, rollout = counts.last_error, record.status.rollout
        created_s = _created_s(record)
        name = record.name if record.namespace == "default" else f"{record.namespace}/{record.name}"
        return (
            (name, "strong"),
            (bar_text(_parts(counts), BAR_CELLS), _style(counts)),
            (f"{counts.matched_device_count:,}", "text"),
            _count(counts.succeeded, "ok"),
            _count(counts.pending, "pending"),
            _count(counts.failed, "failed"),
            _count(counts.offline, "offline"),
            (phase_words(rollout), PHASE_STYLES[rollout.phase] if rollout is not None else "dim"),
            (f"{wanted}{'*' if behind else ''}", "warning" if behind else "text"),
            (span_text(self.clock() - created_s if created_s else None), "dim"),
            (record.selector, "dim"),
            (f"{error.device_id}: {error.message}" if error is not None else "", "failed"),
        )


def _parts(counts: Aggregate) -> tuple[int, int, int, int]:
    return counts.succeeded, counts.pending, counts.failed, counts.offline


def _style(counts: Aggregate) -> str:
    if counts.failed:
        return "failed"
    if counts.pending:
        return "pending"
    return "ok" if counts.succeeded else "dim"


def _count(count: int, style: str) -> Cell:
    return (f"{count:,}", style if count else "dim")


def _created_s(row: DeploymentRow) -> float:
    created = row.resource.metadata.creation_timestamp
    return created.timestamp() if created is not None else row.changed_at_s
