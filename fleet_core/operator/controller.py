"""The operator itself: takes what the buckets tell, writes what devices must run, counts how far.

Level-triggered: a message only says where to look again. Everything that is decided is decided from
what is stored, so the operator can be killed at any line and started anew, and several of them can
run at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
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
from fleet_core.operator.status_writer import StatusWriter
from fleet_core.operator.stored import EntryTaker, ManifestTaker, Stored
from fleet_core.operator.takers import HeartbeatTaker, InfoTaker, StateTaker, Synced

if TYPE_CHECKING:
    from fleet_core.clock import Clock
    from fleet_core.contracts.resources import Deployment
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


class Operator:
    """One operator, over one connection and one `ResourceStore`."""

    def __init__(
        self,
        connection: Connection,
        store: ResourceStore,
        *,
        refusals: Refusals,
        heartbeat_interval_s: int = DEFAULT_HEARTBEAT_INTERVAL_S,
        clock: Clock | None = None,
    ) -> None:
        self.converged = asyncio.Event()
        """Set once everything stored has been read and all that follows from it is written."""
        self.fleet = Fleet(heartbeat_interval_s)
        self.stored = Stored()
        self.writer = DesiredWriter(connection, self.stored)
        self.statuses = StatusWriter(store, self.fleet)
        self._connection = connection
        self._store = store
        self._refusals = refusals
        self._interval_s = heartbeat_interval_s
        self._clock = clock or SystemClock()
        self._dirty: dict[str, None] = {}
        self._wake = asyncio.Event()
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

    def report(self) -> dict[str, Any]:
        """Return how it is doing, for whoever asks."""
        return {
            "converged": self.is_synced and not self._dirty,
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
        self._look_again(self.fleet.set_resource(resource))
        # A want without any device is observed by the next settling too.
        self._wake.set()

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

    def on_resources_stale(self, reason: str) -> None:
        """Take note that Deployments may have changed unseen."""
        self._synced.note_stale(RESOURCES, reason)

    # Devices

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
            DEVICE_INFO.name: InfoTaker(fleet, self._refusals, self._look_again_at),
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

    def _all_synced(self) -> None:
        self._look_again({*self.fleet.wants.devices, *self.stored.devices()})
        self._wake.set()

    async def _settle_devices(self) -> None:
        """Write what devices must run, whenever there is anything to look at."""
        delay_s = _FIRST_DELAY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.is_synced and self._dirty:
                again = await self._settle_some()
                if again:
                    self._look_again(again)
                    await self._clock.sleep(delay_s * random.uniform(0.5, 1.5))
                    delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
                else:
                    delay_s = _FIRST_DELAY_S
            if self.is_synced:
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

    async def _tick(self) -> None:
        """Let time pass, and write statuses that changed."""
        while True:
            self.fleet.tick(self._clock.now())
            if self.is_synced:
                await self.statuses.write_due(self._clock.monotonic())
            await self._clock.sleep(_TICK_S)
