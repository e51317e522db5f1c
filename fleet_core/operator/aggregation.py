"""How far each Deployment is on its devices, counted as states change. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from fleet_core.contracts.resources import Aggregate, LastError
from fleet_core.contracts.states import Phase
from fleet_core.contracts.text import printable
from fleet_core.view.summary import is_failing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fleet_core.contracts.states import DeploymentState
    from fleet_core.operator.resource_store import ResourceKey

_ERROR_MAX_CHARS = 1_024


class Standing(Enum):
    """What a device counts as in a Deployment's status."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Report:
    """What counts of a device's state."""

    phase: Phase
    failing: bool
    spec_hash: str | None
    error: str
    at: datetime

    @classmethod
    def of(cls, state: DeploymentState) -> Report:
        """Return what counts of a state."""
        failing = is_failing(state)
        words = (state.last_error or state.reason or state.phase) if failing else ""
        return cls(
            phase=state.phase,
            failing=failing,
            spec_hash=state.spec_hash,
            error=printable(words, _ERROR_MAX_CHARS),
            at=state.last_event_at,
        )


def judge(report: Report | None, spec_hash: str, *, online: bool) -> Standing:
    """Return what a device counts as.

    A state of another spec says nothing about the wanted one; one that names no spec, as older
    agents send it, is taken at its word.
    """
    if not online:
        return Standing.OFFLINE
    if report is None or report.spec_hash not in (None, spec_hash):
        return Standing.PENDING
    if report.failing:
        return Standing.FAILED
    return Standing.SUCCEEDED if report.phase is Phase.RUNNING else Standing.PENDING


@dataclass(slots=True, eq=False)
class Tally:
    """One Deployment's devices."""

    standings: dict[str, Standing] = field(default_factory=dict)
    counts: Counter[Standing] = field(default_factory=Counter)
    errors: dict[str, Report] = field(default_factory=dict)
    """The reports of the devices that count as failed."""

    def set(self, device: str, standing: Standing, report: Report | None) -> bool:
        """Count a device; tells whether the aggregate is another one now."""
        before = self.standings.get(device)
        failed = standing is Standing.FAILED and report is not None
        other_error = self.errors.get(device) != (report if failed else None)
        if report is not None and failed:
            self.errors[device] = report
        else:
            self.errors.pop(device, None)
        if standing is before:
            return other_error
        if before is not None:
            self.counts[before] -= 1
        self.counts[standing] += 1
        self.standings[device] = standing
        return True

    def drop(self, device: str) -> bool:
        """Count a device no longer; tells whether it was counted."""
        before = self.standings.pop(device, None)
        self.errors.pop(device, None)
        if before is not None:
            self.counts[before] -= 1
        return before is not None

    def aggregate(self) -> Aggregate:
        """Return the counts, as the status tells them."""
        return _aggregate(self.counts, self.errors.items())


class Aggregation:
    """All states, and the tally of each Deployment."""

    def __init__(self) -> None:
        self.tallies: dict[ResourceKey, Tally] = {}
        self._reports: dict[str, dict[str, Report]] = {}

    def take(self, state: DeploymentState) -> bool:
        """Take a state; tells whether it was news: not older than what is known, and different."""
        reports = self._reports.setdefault(state.device_id, {})
        before = reports.get(state.deployment)
        if before is not None and state.last_event_at < before.at:
            return False
        report = Report.of(state)
        reports[state.deployment] = report
        return report != before

    def drop_state(self, device: str, deployment: str) -> None:
        """Forget a state that was removed."""
        reports = self._reports.get(device, {})
        reports.pop(deployment, None)
        if not reports:
            self._reports.pop(device, None)

    def telling(self, deployment: str) -> set[str]:
        """Return the devices that say anything of a deployment."""
        return {device for device, reports in self._reports.items() if deployment in reports}

    def report(self, device: str, deployment: str) -> Report | None:
        """Return what a device last said of a deployment."""
        return self._reports.get(device, {}).get(deployment)


def recount(judged: Iterable[tuple[str, Standing, Report | None]]) -> Aggregate:
    """Count from nothing: what every incremental count must come to."""
    counts: Counter[Standing] = Counter()
    errors = []
    for device, standing, report in judged:
        counts[standing] += 1
        if standing is Standing.FAILED and report is not None:
            errors.append((device, report))
    return _aggregate(counts, errors)


def _aggregate(counts: Counter[Standing], errors: Iterable[tuple[str, Report]]) -> Aggregate:
    newest = max(errors, key=lambda error: (error[1].at, error[0]), default=None)
    last_error = None
    if newest is not None:
        device, report = newest
        last_error = LastError(device_id=device, message=report.error, at=report.at)
    return Aggregate(
        matched_device_count=sum(counts.values()),
        succeeded=counts[Standing.SUCCEEDED],
        failed=counts[Standing.FAILED],
        pending=counts[Standing.PENDING],
        offline=counts[Standing.OFFLINE],
        last_error=last_error,
    )
