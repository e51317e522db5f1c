"""The operator itself: takes what the buckets tell, writes what devices must run, counts how far.

Level-triggered: a message only says where to look again. Everything that is decided is decided from
what is stored, so the operator can be killed at any line and started anew, and several of them can
run at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fleet_core.clock import SystemClock
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
)
from fleet_core.contracts.devices import DEFAULT_HEARTBEAT_INTERVAL_S
from fleet_core.messaging import KvFeed
from fleet_core.operator.desired_writer import DesiredWriter
from fleet_core.operator.device_writes import plan_device
from fleet_core.operator.fleet import Fleet
from fleet_core.operator.leaving import FORGET_AFTER_S, Leaving
from fleet_core.operator.recovery import Recovery, Stage, stage_of
from fleet_core.operator.resource_store import Presence
from fleet_core.operator.status_writer import StatusWriter
from fleet_core.operator.stored import EntryTaker, ManifestTaker, Stored
from fleet_core.operator.takers import HeartbeatTaker, InfoTaker, StateTaker, Synced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.clock import Clock
    from fleet_core.contracts.resources import Deployment, DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.errors import InvalidInputError
    from fleet_core.messaging import Connection, FeedHandler
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceKey, ResourceStore

_log = logging.getLogger(__name__)

RESOURCES: Final = "deployments"
DEVICES_AT_ONCE: Final = 1_000
"""Devices written for side by side; between two such batches changes are taken in."""
_TICK_S: Final = 0.25
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """What whoever runs an operator may choose."""

    heartbeat_interval_s: int = DEFAULT_HEARTBEAT_INTERVAL_S
    """How often devices send a sign of life."""
    forget_after_s: float = FORGET_AFTER_S
    """How long devices that are out of reach keep a deleted Deployment from being let go."""


class Operator:
    """One operator, over one connection and one `ResourceStore`."""

    def __init__(
        self,
        connection: Connection,
        store: ResourceStore,
        *,
        refusals: Refusals,
        options: OperatorOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        options = options or OperatorOptions()
        self.converged = asyncio.Event()
        """Set once everything stored has been read and all that follows from it is written."""
        self.fleet = Fleet(options.heartbeat_interval_s)
        self.stored = Stored()
        self._clock = clock or SystemClock()
        self.writer = DesiredWriter(connection, self.stored, self._clock)
        self.statuses = StatusWriter(store, self.fleet, self.stored, self._changed)
        self.leaving = Leaving(store, self.fleet, self.stored, options.forget_after_s)
        self._connection = connection
        self._store = store
        self._refusals = refusals
        self._interval_s = options.heartbeat_interval_s
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._has_read_all = False
        self._has_collected = False
        self._beat_s = self._clock.monotonic()
        self.recovery = Recovery(since_s=self._beat_s)
        parts = (RESOURCES, *self._buckets())
        self._synced = Synced(parts, self._all_synced)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._store.run(self), name="operator-resources")
            for bucket, taker in self._takers().items():
                feed = KvFeed(self._connection, bucket, taker)
                group.create_task(feed.run(), name=f"feed-{bucket}")
            group.create_task(self._settle_devices(), name="operator-devices")
            group.create_task(self._tick(), name="operator-status")

    @property
    def is_synced(self) -> bool:
        """Whether everything stored has been read; nothing is written before, or in an outage."""
        return self._synced.complete

    @property
    def writes(self) -> bool:
        """Whether it writes now: everything is known, and no other operator does."""
        return self.is_synced and self._store.may_write

    @property
    def silent_s(self) -> float:
        """How long ago the operator's own beat was; it comes four times a second."""
        return self._clock.monotonic() - self._beat_s

    @property
    def missing(self) -> tuple[str, ...]:
        """What has not been read, or may have changed unseen: buckets, and ``deployments``."""
        return self._synced.missing

    def report(self) -> dict[str, Any]:
        """Return how it is doing, for whoever asks."""
        return {
            "stage": self.recovery.stage.value,
            "converged": self.is_synced and not self._dirty,
            "converged_after_s": self.recovery.converged_after_s,
            "writes": self.writes,
            "deployments": len(self.fleet.wants.by_key),
            "devices": len(list(self.fleet.wants.devices)),
            "entries_written": self.writer.entries_written,
            "manifests_written": self.writer.manifests_written,
            "entries_removed": self.writer.entries_removed,
            "statuses_written": self.statuses.written,
            "writes_refused": self.writer.refused,
            "payloads_refused": dict(self._refusals.counts),
        }

    # Resources

    def on_resource(self, resource: Deployment) -> None:
        """Take a Deployment as it stands now."""
        touched = self.fleet.set_resource(resource)
        if self._has_read_all:
            self.fleet.take_up(resource.key, self._now())
        # A want without any device is observed by the next settling too.
        self._changed(touched)

    def on_refused(self, key: ResourceKey, generation: int, error: InvalidInputError) -> None:
        """Take note that a Deployment cannot be read as it stands: the last good one counts."""
        self.fleet.refuse(key, generation, str(error))

    def on_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Take a status that somebody else has stored, or this operator before it was restarted."""
        self._changed(self.fleet.take_status(key, status))

    def on_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Take a version of a Deployment that is stored."""
        self.fleet.rollouts.take_revision(key, revision)

    def on_device_labels(self, device: str, labels: Mapping[str, str] | None) -> None:
        """Take the labels that an administrator has given a device."""
        if self.fleet.set_given_labels(device, labels or {}):
            self._look_again_at(device)

    def on_deleted(self, key: ResourceKey) -> None:
        """Take note that a Deployment was deleted."""
        self._look_again(self.fleet.delete_resource(key))
        for device in self.stored.devices():
            manifest = self.stored.device(device).manifest
            if manifest is not None and key[1] in manifest.deployments:
                self._dirty[device] = None
        self._wake.set()

    def on_resources_synced(self) -> None:
        """Take note that all Deployments are known."""
        self._synced.note(RESOURCES)

    def on_may_write(self) -> None:
        """Take over: look at everything, as after a start."""
        self.fleet.changed.update(self.fleet.wants.by_key)
        self._look_again({*self.fleet.wants.devices, *self.stored.devices()})
        self._wake.set()

    def on_resources_stale(self, reason: str) -> None:
        """Take note that Deployments may have changed unseen."""
        self._synced.note_stale(RESOURCES, reason)

    # Devices

    def presence(self, device: str) -> Presence:
        """Return what is known of a device's signs of life."""
        liveness = self.fleet.liveness
        return Presence(liveness.is_online(device), liveness.seen_s.get(device))

    @property
    def heard_at_s(self) -> Mapping[str, float]:
        """When the server received each device's last sign of life, Unix seconds."""
        return self.fleet.liveness.seen_s

    def _buckets(self) -> tuple[str, ...]:
        return tuple(
            spec.name
            for spec in (
                DEVICE_INFO,
                DEVICE_HEARTBEAT,
                DEVICE_STATE,
                DESIRED_STATE,
                DEVICE_MANIFEST,
            )
        )

    def _takers(self) -> dict[str, FeedHandler]:
        fleet, synced = self.fleet, self._synced
        takers: dict[str, Any] = {
            DEVICE_INFO.name: InfoTaker(
                fleet, self._refusals, self._look_again_at, self._store.on_device_info
            ),
            DEVICE_HEARTBEAT.name: HeartbeatTaker(fleet, self._refusals),
            DEVICE_STATE.name: StateTaker(fleet, self._refusals),
            DESIRED_STATE.name: EntryTaker(self.stored, self._refusals, self._look_again_at),
            DEVICE_MANIFEST.name: ManifestTaker(self.stored, self._refusals, self._look_again_at),
        }
        return {bucket: synced.follow(bucket, taker) for bucket, taker in takers.items()}

    def _look_again(self, devices: set[str]) -> None:
        self._dirty.update(dict.fromkeys(devices))

    def _look_again_at(self, device: str) -> None:
        self._dirty[device] = None
        self._wake.set()

    def _changed(self, devices: set[str]) -> None:
        self._look_again(devices)
        self._wake.set()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def _all_synced(self) -> None:
        if not self._has_read_all:
            self._has_read_all = True
            for key in self.fleet.wants.by_key:
                self.fleet.take_up(key, self._now())
        self._look_again({*self.fleet.wants.devices, *self.stored.devices()})
        self._wake.set()

    def still_stored(self, name: str) -> bool:
        """Tell whether any device's desired state still names a deployment that nobody wants."""
        return name not in self.fleet.wants.names() and name in self.stored.deployments()

    def _collect_orphans(self) -> None:
        """Once, have devices drop what was deleted while nobody looked."""
        orphans = self.stored.deployments() - self.fleet.wants.names()
        deleted = self._store.deleted_unseen(orphans) if orphans else frozenset()
        if deleted is None:
            return
        self._has_collected = True
        if deleted:
            _log.info("deleted while no operator looked: %s", ", ".join(sorted(deleted)))
            self.fleet.collect(deleted)
            self._changed(set(self.stored.devices()))
        if left := orphans - deleted:
            _log.warning(
                "devices keep %s, which no Deployment stands for and nobody deleted here: "
                "apply it again, or apply and delete it",
                ", ".join(sorted(left)),
            )

    async def _settle_devices(self) -> None:
        """Write what devices must run, whenever there is anything to look at."""
        delay_s = _FIRST_DELAY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.writes and self._dirty:
                again = await self._settle_some()
                if again:
                    self._look_again(again)
                    await self._clock.sleep(delay_s * random.uniform(0.5, 1.5))
                    delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
                else:
                    delay_s = _FIRST_DELAY_S
            if self.writes:
                self.fleet.settled()
                self.converged.set()

    async def _settle_some(self) -> set[str]:
        """Settle one batch; returns the devices for which it must be tried again."""
        batch = list(self._dirty)[:DEVICES_AT_ONCE]
        plans = {}
        for device in batch:
            del self._dirty[device]
            plan = plan_device(
                self.stored.device(device),
                self.fleet.wanted_of(device),
                may_go=self.fleet.may_go,
                interval_s=self._interval_s,
                now_s=self._clock.now(),
            )
            if plan:
                plans[device] = plan
        return await self.writer.write(plans) if plans else set()

    def _beat(self) -> None:
        """Say that we live, and how far we have come."""
        self._beat_s = self._clock.monotonic()
        stage = stage_of(
            synced=self.is_synced, may_write=self._store.may_write, busy=bool(self._dirty)
        )
        told = self.recovery.note(stage, self._beat_s)
        if told:
            _log.info("%s", told)
        if stage is Stage.CONVERGING:
            # Whatever kept us from writing a moment ago may be over without anybody saying so.
            self._wake.set()

    async def _tick(self) -> None:
        """Let time pass, and write statuses that changed."""
        while True:
            self._beat()
            self.fleet.tick(self._clock.now())
            for device in self.fleet.take_presence_changes():
                self._store.on_device_presence(device)
            if self.writes:
                self.fleet.pass_time()
                if not self._has_collected:
                    self._collect_orphans()
                await self.statuses.write_due(self._now(), self._clock.monotonic())
                for key in await self.leaving.let_go_of_those_that_left(self._clock.monotonic()):
                    self.statuses.forget(key)
            await self._clock.sleep(_TICK_S)
