"""The table of rollouts: how far each Deployment's latest version is, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.rollouts import BatchPhase, RolloutPhase, Strategy
from fleet_core.operations.record_filters import matching_deployments
from fleet_core.operations.rollouts.words import phase_words, since, soak_left_s, why
from fleet_tui.sources.record_source import SEPARATOR, FoldingSource
from fleet_tui.table import Column, age_text, span_text
from fleet_tui.widgets.bars import bar_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.contracts.rollouts import BatchStatus, RolloutStatus
    from fleet_core.view import DeploymentRow, Filter, FleetView
    from fleet_tui.table.source import Cell

BAR_CELLS: Final = 16
_URGENCY: Final = (
    RolloutPhase.PAUSED,
    RolloutPhase.PROGRESSING,
    RolloutPhase.ABORTED,
    RolloutPhase.REVERTED,
    RolloutPhase.COMPLETED,
)
"""What waits for a person stands first."""
_UNFOLDED: Final = (RolloutPhase.PAUSED, RolloutPhase.PROGRESSING)
"""What is under way shows its batches without being asked."""
PHASE_STYLES: Final = {
    RolloutPhase.PROGRESSING: "accent",
    RolloutPhase.PAUSED: "warning",
    RolloutPhase.COMPLETED: "ok",
    RolloutPhase.ABORTED: "failed",
    RolloutPhase.REVERTED: "failed",
}
_BATCH_STYLES: Final = {
    BatchPhase.PENDING: "dim",
    BatchPhase.PROGRESSING: "accent",
    BatchPhase.SOAKING: "accent",
    BatchPhase.AWAITING_PROMOTION: "warning",
    BatchPhase.SUCCEEDED: "ok",
    BatchPhase.FAILED: "failed",
    BatchPhase.SKIPPED: "dim",
}


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A Deployment's rollout, or one of its batches."""

    deployment: DeploymentRow
    rollout: RolloutStatus
    batch: BatchStatus | None = None
    is_open: bool = False


class RolloutSource(FoldingSource[RolloutRow]):
    """Rollouts by ``namespace/name``; the batches of those that are open stand beneath them."""

    COLUMNS = (
        Column("rollout", "ROLLOUT", 14, flex=2, max_width=40),
        Column("phase", "PHASE", 22, flex=1, max_width=34),
        Column("progress", "PROGRESS", BAR_CELLS),
        Column("devices", "DEVICES", 8, align="right"),
        Column("ok", "OK", 6, align="right"),
        Column("failed", "FAIL", 6, align="right"),
        Column("in_flight", "FLIGHT", 6, align="right"),
        Column("offline", "OFFL", 6, align="right"),
        Column("stranded", "STRAND", 6, align="right"),
        Column("asks", "ASKS", 12, max_width=16),
        Column("soak", "SOAK", 5, align="right"),
        Column("since", "SINCE", 5, align="right"),
        Column("why", "WHY", 14, flex=4, max_width=120),
    )

    def __init__(self, view: FleetView, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock)
        self._toggled: dict[str, bool] = {}
        """What somebody folded or unfolded by hand."""

    @property
    def total(self) -> int:
        """How many Deployments the operator has taken up."""
        return sum(row.status.rollout is not None for row in self.view.deployments.values())

    @property
    def shown(self) -> list[RolloutRow]:
        """The rollouts that match, without their batches."""
        return [row for row in self._records.values() if row.batch is None]

    def state_of_view(self) -> Hashable:
        """Anything but a heartbeat may have changed a rollout."""
        return self.view.changes

    def toggle(self, key: str) -> None:
        """Show the batches of a rollout, or hide them."""
        row = self.record(key)
        if row is not None:
            self._toggled[key] = not row.is_open
            self.refresh(now=True)

    def find(self, parsed: Filter) -> dict[str, RolloutRow]:
        """Return the rollouts that match, and the batches of the open ones."""
        found: dict[str, RolloutRow] = {}
        rows = matching_deployments(parsed, self.view.deployments.values())
        for row in sorted(rows, key=_urgency):
            rollout = row.status.rollout
            if rollout is None or (self.faults_only and rollout.phase in _URGENCY[-1:]):
                continue
            key = f"{row.namespace}/{row.name}"
            is_open = self._toggled.get(key, rollout.phase in _UNFOLDED) and _is_staged(row)
            found[key] = RolloutRow(row, rollout, is_open=is_open)
            for batch in rollout.batches if is_open else ():
                found[f"{key}{SEPARATOR}{batch.name}"] = RolloutRow(row, rollout, batch)
        return found

    def sort_keys(self) -> Mapping[str, Callable[[RolloutRow], Any]]:
        """Return what rollouts are sorted by; batches stay beneath theirs, in their order."""
        return {
            "rollout": lambda row: (row.deployment.name, row.deployment.namespace),
            "phase": lambda row: _URGENCY.index(row.rollout.phase),
            "since": lambda row: -_started_s(row.deployment),
        }

    def cells_of(self, record: RolloutRow) -> Sequence[Cell]:
        """Return the cells of a rollout, or of a batch."""
        return self._rollout(record) if record.batch is None else self._batch(record, record.batch)

    def _rollout(self, record: RolloutRow) -> Sequence[Cell]:
        row, rollout = record.deployment, record.rollout
        fold = ("▾" if record.is_open else "▸") if _is_staged(row) else " "
        name = row.name if row.namespace == "default" else f"{row.namespace}/{row.name}"
        counts = _summed(rollout) if rollout.batches else _aggregated(row)
        age_s = since(rollout.finished_at or rollout.started_at, self.clock())
        return (
            (f"{fold} {name}", "strong"),
            (phase_words(rollout), PHASE_STYLES[rollout.phase]),
            *_numbers(counts),
            (f"→ {rollout.update.number}", "dim"),
            ("", "dim"),
            (span_text(age_s), "dim"),
            (why(rollout), "text"),
        )

    def _batch(self, record: RolloutRow, batch: BatchStatus) -> Sequence[Cell]:
        now_s = self.clock()
        age_s = since(batch.finished_at or batch.soaking_since or batch.started_at, now_s)
        left_s = soak_left_s(batch, record.deployment.resource, now_s)
        forgiven = f"{batch.forgiven:,} failures forgiven" if batch.forgiven else ""
        return (
            (f"    {batch.name}", "text"),
            (batch.phase.value, _BATCH_STYLES[batch.phase]),
            *_numbers(_counts(batch)),
            (_asks(record.deployment, batch.name), "dim"),
            ("" if left_s is None else age_text(left_s, exact=True, fresh_s=0), "accent"),
            ("" if age_s is None else span_text(age_s), "dim"),
            (forgiven, "dim"),
        )


def _is_staged(row: DeploymentRow) -> bool:
    return row.resource.spec.rollout.strategy is Strategy.STAGED


def _urgency(row: DeploymentRow) -> tuple[int, float, str]:
    rollout = row.status.rollout
    place = _URGENCY.index(rollout.phase) if rollout is not None else len(_URGENCY)
    return place, -_started_s(row), row.name


def _started_s(row: DeploymentRow) -> float:
    rollout = row.status.rollout
    started = rollout.started_at if rollout is not None else None
    return started.timestamp() if started is not None else 0.0


def _counts(batch: BatchStatus) -> tuple[int, ...]:
    return (
        batch.total,
        batch.succeeded,
        batch.failed,
        batch.in_flight,
        batch.offline,
        batch.stranded,
    )


def _aggregated(row: DeploymentRow) -> tuple[int, ...]:
    """Return the counts where all devices were told at once: nobody counts batches then."""
    counts = row.aggregate
    return (
        counts.matched_device_count,
        counts.succeeded,
        counts.failed,
        counts.pending,
        counts.offline,
        0,
    )


def _summed(rollout: RolloutStatus) -> tuple[int, ...]:
    each = [_counts(batch) for batch in rollout.batches]
    return tuple(map(sum, zip(*each, strict=True))) if each else (0,) * 6


def _numbers(counts: tuple[int, ...]) -> Sequence[Cell]:
    """Return the bar and the counts: total, ok, failed, in flight, offline, stranded."""
    total, ok, failed, in_flight, offline, stranded = counts
    left = max(0, total - ok - failed - in_flight)
    style = "failed" if failed else "pending" if in_flight else "ok" if ok else "dim"
    return (
        (bar_text((ok, in_flight, failed, left), BAR_CELLS), style),
        (f"{total:,}", "text"),
        (f"{ok:,}", "ok" if ok else "dim"),
        (f"{failed:,}", "failed" if failed else "dim"),
        (f"{in_flight:,}", "pending" if in_flight else "dim"),
        (f"{offline:,}", "offline" if offline else "dim"),
        (f"{stranded:,}", "warning" if stranded else "dim"),
    )


def _asks(row: DeploymentRow, batch_name: str) -> str:
    """Return what a batch asks for: how many must run, and how many may fail."""
    asked = next((e for e in row.resource.spec.rollout.batches if e.name == batch_name), None)
    if asked is None:
        return "100%"
    may_fail = f" ≤{asked.error_threshold} fail" if asked.error_threshold else ""
    return f"{asked.success_threshold}{may_fail}"
