"""The read model: an indexed picture of the fleet in memory, fed by changes of the KV buckets."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
)
from fleet_core.contracts.text import printable, printable_lines
from fleet_core.errors import NotFoundError
from fleet_core.view.devices import DeviceColumns
from fleet_core.view.handlers import (
    HeartbeatHandler,
    InfoHandler,
    ManifestHandler,
    StateHandler,
    ViewHandler,
)
from fleet_core.view.health import Health, health, next_change_s
from fleet_core.view.resource_handlers import DeploymentHandler, RevisionHandler, StatusHandler
from fleet_core.view.rows import Counters, DeploymentRow, Event, FailedDevice, FailureGroup
from fleet_core.view.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.view.rows import StateRow

_EVENTS_KEPT: Final = 2_000
_SKEW_IGNORED_S: Final = 5.0
"""Clocks that differ by less are taken as equal."""
_HANDLERS: Final[dict[str, type[ViewHandler]]] = {
    DEPLOYMENTS.name: DeploymentHandler,
    DEPLOYMENT_STATUS.name: StatusHandler,
    DEPLOYMENT_REVISIONS.name: RevisionHandler,
    DEVICE_INFO.name: InfoHandler,
    DEVICE_HEARTBEAT.name: HeartbeatHandler,
    DEVICE_MANIFEST.name: ManifestHandler,
    DEVICE_STATE.name: StateHandler,
}


class FleetView:
    """The fleet as far as its buckets tell. It does no I/O and knows no clock: `tick` is told."""

    def __init__(self) -> None:
        self.devices = DeviceColumns()
        self.deployments: dict[tuple[str, str], DeploymentRow] = {}
        """By (namespace, name)."""
        self.statuses: dict[tuple[str, str], DeploymentStatus] = {}
        """What the operator says of them, by (namespace, name)."""
        self.revisions: dict[tuple[str, str], dict[str, Revision]] = {}
        """Their versions that are kept, by (namespace, name) and by the hash of their score."""
        self.counters = Counters()
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.health_counts: Counter[Health] = Counter()
        self.membership = 0
        """Grows when devices come or go."""
        self.changes = 0
        """Grows with every change but heartbeats."""
        self.newest_s = 0.0
        """When the server received the newest live message, Unix seconds."""
        self.failing: dict[tuple[int, str], StateRow] = {}
        """States that fail, by (slot, deployment)."""
        self._handlers: dict[str, ViewHandler] = {}
        self._due: list[tuple[float, int]] = []
        self._queued = bytearray()
        self._now_s = 0.0
        self._skew_s = 0.0

    def handler(self, bucket: str) -> ViewHandler:
        """Return what takes the changes of a bucket; raises NotFoundError for a foreign one."""
        kind = _HANDLERS.get(bucket)
        if kind is None:
            raise NotFoundError(f"the read model does not know the bucket {bucket}")
        return self._handlers.setdefault(bucket, kind(self, bucket))

    @property
    def synced(self) -> bool:
        """Whether every bucket that is fed has been read completely."""
        return bool(self._handlers) and all(each.synced for each in self._handlers.values())

    @property
    def now_s(self) -> float:
        """The server's present, as of the last tick, Unix seconds."""
        return self._now_s

    def tick(self, now_s: float) -> int:
        """Let time pass to ``now_s`` (this machine's Unix seconds); returns the changes of health.

        Ages are taken against the server's clock. Where this machine's clock is wrong by more than
        a few seconds, the newest live message tells by how much.
        """
        if self.newest_s:
            skew_s = self.newest_s - now_s
            self._skew_s = skew_s if abs(skew_s) > _SKEW_IGNORED_S else 0.0
            self.newest_s = 0.0
        self._now_s = now_s + self._skew_s
        changed = 0
        while self._due and self._due[0][0] <= self._now_s:
            _, slot = heapq.heappop(self._due)
            self._queued[slot] = 0
            changed += self.judge(slot)
        return changed

    def judge(self, slot: int) -> bool:
        """Judge a device's health anew; tells whether it changed."""
        devices = self.devices
        seen_s = devices.seen_s[slot]
        if not seen_s:
            return False
        age_s = max(0.0, self._now_s - seen_s)
        gap_s = devices.gap_s[slot]
        previous = Health(devices.health[slot])
        interval_s = devices.interval_s[slot]
        found = health(age_s, interval_s, None if math.isnan(gap_s) else gap_s, previous)
        self._watch(slot, age_s, interval_s)
        if found is previous:
            return False
        self.set_health(slot, found)
        if self.synced and devices.ids[slot]:
            text = f"{previous.word} → {found.word}"
            self.events.append(Event(self._now_s, devices.ids[slot], "", text))
        return True

    def set_health(self, slot: int, found: Health) -> None:
        """Count a device under another health."""
        self.health_counts[Health(self.devices.health[slot])] -= 1
        self.health_counts[found] += 1
        self.devices.health[slot] = found
        self.devices.revision[slot] += 1

    def _watch(self, slot: int, age_s: float, interval_s: float) -> None:
        """Have the device judged again when silence alone would change its health."""
        left_s = next_change_s(age_s, interval_s)
        if slot >= len(self._queued):
            self._queued.extend(bytes(slot + 1 - len(self._queued)))
        if left_s is not None and not self._queued[slot]:
            self._queued[slot] = 1
            heapq.heappush(self._due, (self._now_s + left_s + 0.001, slot))

    def slot(self, device_id: str) -> int:
        """Return the device's slot, which is made if it is new."""
        slot = self.devices.slot_of.get(device_id)
        if slot is None:
            slot = self.devices.slot(device_id)
            self.health_counts[Health.UNKNOWN] += 1
            self.membership += 1
            self.changes += 1
        return slot

    def forget_if_empty(self, slot: int) -> None:
        """Let go of a device of which nothing is known any more."""
        devices = self.devices
        if (
            devices.has_info[slot]
            or devices.seen_s[slot]
            or devices.states[slot]
            or devices.desired[slot]
        ):
            return
        self.health_counts[Health(devices.health[slot])] -= 1
        devices.free(slot)
        self.membership += 1
        self.changes += 1

    def resummarise(self, slot: int) -> None:
        """Compute the device's line anew, after its states or its manifest changed."""
        devices = self.devices
        found = summarise(devices.states[slot], devices.desired[slot])
        devices.ok[slot] = found.ok
        devices.total[slot] = found.total
        devices.restarts[slot] = found.restarts
        devices.severity[slot] = found.severity
        if devices.reasons[slot] != found.reason:
            devices.reasons[slot] = found.reason
            devices.refresh_text(slot)
        self.touch(slot)

    def touch(self, slot: int) -> None:
        """Note that a device's row changed."""
        self.devices.revision[slot] += 1
        self.changes += 1

    def record_ping(self, device_id: str, rtt_ms: float | None) -> None:
        """Keep the round trip of a ping; None where there was no answer."""
        slot = self.devices.slot_of.get(device_id)
        if slot is not None:
            self.devices.rtt_ms[slot] = math.nan if rtt_ms is None else rtt_ms
            self.devices.revision[slot] += 1

    def failures(self, *, spread_by: str = "site") -> list[FailureGroup]:
        """Return what fails, grouped by deployment, container, cause and exit code; most first."""
        groups: dict[tuple[str, str, bool, str, int | None], list[tuple[int, StateRow]]] = {}
        for (slot, name), state in self.failing.items():
            groups.setdefault(_failure_key(name, state), []).append((slot, state))
        found = [self._group(key, members, spread_by) for key, members in groups.items()]
        return sorted(found, key=lambda group: (-len(group.devices), group.key))

    def _group(
        self,
        key: tuple[str, str, bool, str, int | None],
        members: list[tuple[int, StateRow]],
        spread_by: str,
    ) -> FailureGroup:
        deployment, container, init, cause, exit_code = key
        spread = Counter(self.devices.labels[slot].get(spread_by, "-") for slot, _ in members)
        devices = sorted(self._failed_devices(members), key=lambda device: device.device_id)
        return FailureGroup(
            deployment=deployment,
            container=container,
            init=init,
            cause=cause,
            exit_code=exit_code,
            generation=max(state.generation for _, state in members),
            devices=tuple(devices),
            since_s=min(state.at_s for _, state in members),
            spread=tuple(spread.most_common()),
        )

    def _failed_devices(self, members: list[tuple[int, StateRow]]) -> Iterator[FailedDevice]:
        for slot, state in members:
            failure = state.detail.failure if state.detail else None
            message = (state.detail.last_error if state.detail else None) or state.reason
            lines = printable_lines(failure.log, limit_lines=40) if failure else []
            yield FailedDevice(self.devices.ids[slot], printable(message), tuple(lines), state.at_s)


def _failure_key(name: str, state: StateRow) -> tuple[str, str, bool, str, int | None]:
    failure = state.detail.failure if state.detail is not None else None
    if failure is None:
        return name, "", False, state.reason or state.phase, None
    return (
        name,
        failure.container,
        failure.init,
        printable(failure.cause, 128),
        failure.exit_code,
    )
