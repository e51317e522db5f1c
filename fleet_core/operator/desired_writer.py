"""Writing desired state: many devices side by side, for each one in the order that is safe."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_MANIFEST,
    HEADER_GENERATION,
    HEADER_SPEC_HASH,
    desired_key,
    manifest_key,
)
from fleet_core.contracts.scores import payload_hash
from fleet_core.errors import ConflictError, FleetError, RetryLaterError
from fleet_core.messaging import KvBucket
from fleet_core.operator.stored import StoredEntry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from fleet_core.clock import Clock
    from fleet_core.contracts.devices import DeviceManifest
    from fleet_core.messaging import Connection
    from fleet_core.operator.device_writes import DeviceWrites
    from fleet_core.operator.stored import Stored
    from fleet_core.operator.versions import Version

_log = logging.getLogger(__name__)

WRITES_AT_ONCE: Final = 1_000
"""Acknowledgements awaited side by side."""


class DesiredWriter:
    """Writes entries, manifests and removals, and notes in `Stored` what was acknowledged."""

    def __init__(self, connection: Connection, stored: Stored, clock: Clock) -> None:
        self.entries_written = 0
        self.manifests_written = 0
        self.entries_removed = 0
        self.refused = 0
        """Writes that the server will never take; logged, and not tried again until a change."""
        self._entries = KvBucket(connection, DESIRED_STATE.name)
        self._manifests = KvBucket(connection, DEVICE_MANIFEST.name)
        self._stored = stored
        self._clock = clock

    async def write(self, plans: Mapping[str, DeviceWrites]) -> set[str]:
        """Write for several devices; returns those for which it must be tried again.

        A manifest is written only once all the entries that it names are stored, and what it no
        longer names is removed only after it: a device never reads of an entry that is not there.
        """
        unfinished = _Unfinished()
        await self._all(
            unfinished,
            (
                (device, self._put_entry(device, name, version))
                for device, plan in plans.items()
                for name, version in plan.entries
            ),
        )
        await self._all(
            unfinished,
            (
                (device, self._put_manifest(device, plan.manifest))
                for device, plan in plans.items()
                if plan.manifest is not None and device not in unfinished
            ),
        )
        await self._all(
            unfinished,
            (
                (device, self._remove_entry(device, name, revision))
                for device, plan in plans.items()
                for name, revision in plan.removals
                if device not in unfinished
            ),
        )
        self.refused += len(unfinished.refused)
        return unfinished.again

    async def _all(
        self, unfinished: _Unfinished, writes: Iterable[tuple[str, Awaitable[None]]]
    ) -> None:
        devices: list[str] = []
        waiting: list[Awaitable[None]] = []
        for device, write in writes:
            devices.append(device)
            waiting.append(write)
            if len(waiting) == WRITES_AT_ONCE:
                await unfinished.gather(devices, waiting)
                devices, waiting = [], []
        await unfinished.gather(devices, waiting)

    async def _put_entry(self, device: str, name: str, version: Version) -> None:
        entry = version.entry
        headers = {
            HEADER_GENERATION: str(entry.generation),
            HEADER_SPEC_HASH: entry.spec_hash,
        }
        revision = await self._entries.put(desired_key(device, name), version.score, headers)
        stored = StoredEntry(entry.spec_hash, revision, self._clock.now())
        self._stored.note_entry(device, name, stored)
        self.entries_written += 1

    async def _put_manifest(self, device: str, manifest: DeviceManifest) -> None:
        payload = encode(manifest)
        headers = {
            HEADER_GENERATION: str(manifest.generation),
            HEADER_SPEC_HASH: payload_hash(payload),
        }
        before = self._stored.device(device).manifest_revision
        revision = await self._manifests.update(manifest_key(device), payload, before, headers)
        self._stored.note_manifest(device, manifest, revision)
        self.manifests_written += 1

    async def _remove_entry(self, device: str, name: str, revision: int) -> None:
        # Only what we know of: another operator may just have written it again.
        await self._entries.delete(desired_key(device, name), revision)
        self._stored.note_entry_gone(device, name, revision)
        self.entries_removed += 1


class _Unfinished:
    """Devices for which something could not be written."""

    def __init__(self) -> None:
        self.again: set[str] = set()
        self.refused: set[str] = set()

    def __contains__(self, device: str) -> bool:
        return device in self.again or device in self.refused

    async def gather(self, devices: list[str], writes: list[Awaitable[None]]) -> None:
        results = await asyncio.gather(*writes, return_exceptions=True)
        reasons: defaultdict[str, int] = defaultdict(int)
        for device, result in zip(devices, results, strict=True):
            if result is None:
                continue
            if isinstance(result, RetryLaterError | ConflictError):
                self.again.add(device)
                reasons[str(result)] += 1
            elif isinstance(result, FleetError):
                self.refused.add(device)
                _log.error("the desired state of %s is refused: %s", device, result)
            else:
                raise result
        for reason, count in reasons.items():
            _log.info("%d writes will be tried again: %s", count, reason)
