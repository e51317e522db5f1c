"""What is watched: rows of devices, deployments and failures, and how they differ from before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from fleet_core.operations.record_filters import matching_deployments, matching_failures
from fleet_core.operations.reports import deployment_record, device_record, failure_record
from fleet_core.view import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fleet_core.operations.reports import Record
    from fleet_core.view import Filter, FleetView


@dataclass(frozen=True, slots=True)
class Row:
    """What is compared and printed of one device, deployment or group of failures."""

    key: str
    words: tuple[str, ...]
    """The state that a change is told of."""
    record: Callable[[], Record]
    """What JSON says of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that came, went, or is different."""

    event: str
    """``added``, ``changed`` or ``removed``."""
    row: Row
    before: tuple[str, ...] | None = None
    """The words that it had, where it changed."""

    @property
    def words(self) -> list[str]:
        """What is said of it: ``online → stale`` where a word changed."""
        if self.before is None:
            return [word for word in self.row.words if word]
        pairs = zip(self.before, self.row.words, strict=True)
        told = (new if old == new else f"{old or '-'} → {new or '-'}" for old, new in pairs)
        return [word for word in told if word]


def differences(before: Mapping[str, Row], after: Mapping[str, Row]) -> Iterator[Change]:
    """Yield what is different."""
    for key, row in after.items():
        old = before.get(key)
        if old is None:
            yield Change("added", row)
        elif old.words != row.words:
            yield Change("changed", row, old.words)
    for key, row in before.items():
        if key not in after:
            yield Change("removed", row)


class Watcher(Protocol):
    """Reads the rows of one kind."""

    def rows(self) -> dict[str, Row]:
        """Return the rows as they are now, by key."""


class DeviceWatcher:
    """Devices; a row is made again only when its revision in the read model has moved."""

    def __init__(self, view: FleetView, chosen: Filter) -> None:
        self._view = view
        self._chosen = chosen
        self._made: dict[str, tuple[int, Row]] = {}

    def rows(self) -> dict[str, Row]:
        """Return the devices that the filter matches."""
        devices = self._view.devices
        ids, revisions, made = devices.ids, devices.revision, self._made
        found = {}
        for slot in self._chosen.select(devices, self._view.now_s):
            device_id = ids[slot]
            known = made.get(device_id)
            if known is None or known[0] != revisions[slot]:
                known = made[device_id] = (revisions[slot], self._row(slot))
            found[device_id] = known[1]
        if len(made) > 2 * len(devices) + 1_000:
            # Devices that have gone are not remembered for ever.
            self._made = {key: made[key] for key in found}
        return found

    def _row(self, slot: int) -> Row:
        view, devices = self._view, self._view.devices
        device_id = devices.ids[slot]
        words = (
            Health(devices.health[slot]).word,
            devices.versions[slot],
            f"{devices.ok[slot]}/{devices.total[slot]}",
            devices.reasons[slot],
        )
        return Row(device_id, words, partial(_device_or_id, view, device_id))


def _device_or_id(view: FleetView, device_id: str) -> Record:
    """Return the device's record; of one that has gone, its id."""
    known = device_id in view.devices.slot_of
    return device_record(view, device_id) if known else {"id": device_id}


class DeploymentWatcher:
    """Deployments and their counts."""

    def __init__(self, view: FleetView, chosen: Filter) -> None:
        self._view = view
        self._chosen = chosen

    def rows(self) -> dict[str, Row]:
        """Return the deployments that the filter matches."""
        found = {}
        for row in matching_deployments(self._chosen, self._view.deployments.values()):
            counts = row.aggregate
            words = (
                f"generation {row.resource.metadata.generation}",
                f"{counts.succeeded}/{counts.matched_device_count} ok",
                f"{counts.pending} pending",
                f"{counts.failed} failed",
                f"{counts.offline} offline",
            )
            key = f"{row.namespace}/{row.name}"
            found[key] = Row(key, words, partial(deployment_record, row))
        return found


class FailureWatcher:
    """Groups of failures and how many devices have them."""

    def __init__(self, view: FleetView, chosen: Filter) -> None:
        self._view = view
        self._chosen = chosen

    def rows(self) -> dict[str, Row]:
        """Return the groups that the filter matches."""
        found = {}
        for group in matching_failures(self._chosen, self._view.failures(), self._view):
            words = (group.how, f"{len(group.devices)} devices")
            found[group.key] = Row(group.key, words, partial(failure_record, group))
        return found


WATCHERS: dict[str, Callable[[FleetView, Filter], Watcher]] = {
    "devices": DeviceWatcher,
    "deployments": DeploymentWatcher,
    "failures": FailureWatcher,
}
"""By the word of the command line."""
