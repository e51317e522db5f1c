"""Writes the Device resources of a cluster, at a bounded rate: they are for people to look at."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fleet_core.cluster import paths
from fleet_core.cluster.client import Patch
from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import DEVICE_INFO, info_key
from fleet_core.contracts.devices import DeviceInfo
from fleet_core.errors import ConflictError, FleetError
from fleet_core.messaging import KvBucket
from fleet_core.operator.kubernetes.devices import (
    DeviceBook,
    device_object,
    spec_of,
    status_object,
)
from fleet_core.operator.kubernetes.reading import FIELD_MANAGER

if TYPE_CHECKING:
    from fleet_core.clock import Clock
    from fleet_core.cluster.client import ClusterClient, Object
    from fleet_core.messaging import Connection
    from fleet_core.operator.resource_store import ResourceHandler

_log = logging.getLogger(__name__)

WRITES_PER_S: Final = 50
"""New devices, changed ones, and those that come and go: 10,000 new ones take 200 s."""
REFRESHES_PER_S: Final = 5
"""Of these, for nothing but the time of a last heartbeat."""
_STEP_S: Final = 0.2
_CONFLICTS_OF_WILL: Final = 3
_FIELD_MANAGER_QUERY: Final = {"fieldManager": FIELD_MANAGER}
_STATUS_QUERY: Final = {"fieldManager": f"{FIELD_MANAGER}-status"}
"""A manager of its own: API servers before 1.22 take what is applied to a status for all that its
manager wants, and have it give up the rest."""


class DeviceReconciler:
    """Brings the Device resources to what devices say of themselves."""

    def __init__(self, client: ClusterClient, connection: Connection, clock: Clock) -> None:
        self.book = DeviceBook()
        self.written = 0
        self._client = client
        self._infos = KvBucket(connection, DEVICE_INFO.name)
        self._clock = clock
        self._refused: dict[str, bytes] = {}
        """Devices of whose spec somebody else owns a part: told once, and left to them."""
        self._conflicts: dict[str, int] = {}
        """Conflicts since a device was applied last."""

    async def run(self, handler: ResourceHandler) -> None:
        """Reconcile until cancelled."""
        while True:
            await self._clock.sleep(_STEP_S)
            if not handler.writes:
                continue
            some = self._next(int(WRITES_PER_S * _STEP_S), handler)
            await asyncio.gather(*(self._reconcile(device, handler) for device in some))

    def _next(self, at_most: int, handler: ResourceHandler) -> list[str]:
        """Return the devices to write now; those whose heartbeat alone is old come last."""
        found: list[str] = []
        due = self.book.due
        while due and len(found) < at_most:
            device, _ = due.popitem(last=False)
            if self._differs(device, handler):
                found.append(device)
        if len(found) < at_most:
            refreshed = self.book.stale(handler.heard_at_s, max(1, int(REFRESHES_PER_S * _STEP_S)))
            found += [device for device in refreshed if device not in found]
        return found

    def _differs(self, device: str, handler: ResourceHandler) -> bool:
        book = self.book
        return (
            device in book.leaving
            or (book.must_apply(device) and not self._is_refused(device))
            or book.must_tell(device, handler.presence(device))
        )

    def _is_refused(self, device: str) -> bool:
        said = self.book.said.get(device)
        return said is not None and self._refused.get(device) == said.digest

    async def _reconcile(self, device: str, handler: ResourceHandler) -> None:
        try:
            if device in self.book.leaving:
                await self._client.delete(paths.device(device))
                self.book.leaving.discard(device)
                return
            if self.book.must_apply(device) and not self._is_refused(device):
                await self._apply(device)
            if self.book.must_tell(device, handler.presence(device)):
                await self._tell(device, handler)
        except FleetError as error:
            _log.info("the Device %s will be written again: %s", device, error)
            self.book.due[device] = None

    async def _apply(self, device: str) -> None:
        """Apply a device's labels and facts, as they are stored now."""
        entry = await self._infos.get(info_key(device))
        if entry is None or device not in self.book.said:
            return
        info = decode(DeviceInfo, entry.value)
        body = device_object(device, self.book.wanted_labels(device), spec_of(info))
        path = paths.device(device)
        try:
            stored = await self._client.patch(path, body, Patch.APPLY, _FIELD_MANAGER_QUERY)
        except ConflictError as error:
            await self._look_who_owns(device, error)
            return
        self._conflicts.pop(device, None)
        self._take(device, stored)

    async def _look_who_owns(self, device: str, error: ConflictError) -> None:
        """Find which labels are somebody else's now; what else they own is left to them.

        An object that was changed or removed in the same moment is a conflict too: only one that
        comes again and again is somebody's will.
        """
        stored = await self._client.get(paths.device(device))
        self.book.show(device, stored)
        said = self.book.said.get(device)
        self._conflicts[device] = self._conflicts.get(device, 0) + 1
        if said is None or stored is None or self._conflicts[device] < _CONFLICTS_OF_WILL:
            self.book.due[device] = None
            return
        self._refused[device] = said.digest
        _log.warning("the Device %s is left as somebody else has set it: %s", device, error)

    async def _tell(self, device: str, handler: ResourceHandler) -> None:
        presence, shown = handler.presence(device), self.book.shown[device]
        body = status_object(device, presence, shown, self._clock.now())
        path = paths.status_of(paths.device(device))
        self._take(device, await self._client.patch(path, body, Patch.APPLY, _STATUS_QUERY))

    def _take(self, device: str, stored: Object) -> None:
        self.written += 1
        self.book.show(device, stored)
