"""Writing statuses: what changed, and each Deployment's at most once a second."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fleet_core.errors import FleetError

if TYPE_CHECKING:
    from fleet_core.operator.fleet import Fleet
    from fleet_core.operator.resource_store import ResourceKey, ResourceStore

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
"""Between two writes of one Deployment's status."""
_WRITES_AT_ONCE: Final = 200


class StatusWriter:
    """Writes the statuses that the fleet says have changed."""

    def __init__(self, store: ResourceStore, fleet: Fleet) -> None:
        self.written = 0
        """Statuses handed to the store."""
        self._store = store
        self._fleet = fleet
        self._written_at: dict[ResourceKey, float] = {}

    async def write_due(self, now: float) -> None:
        """Write what has changed and was not written within the last second (monotonic ``now``)."""
        due = [
            key
            for key in self._fleet.changed
            if now - self._written_at.get(key, -INTERVAL_S) >= INTERVAL_S
        ]
        for key in self._fleet.gone:
            self._written_at.pop(key, None)
        for start in range(0, len(due), _WRITES_AT_ONCE):
            some = due[start : start + _WRITES_AT_ONCE]
            await asyncio.gather(*(self._write(key, now) for key in some))
        await asyncio.gather(*(self._forget(key) for key in list(self._fleet.gone)))

    async def _write(self, key: ResourceKey, now: float) -> None:
        # Taken out first: what changes while it is written is written again.
        self._fleet.changed.discard(key)
        self._written_at[key] = now
        try:
            await self._store.write_status(key, self._fleet.status(key))
            self.written += 1
        except FleetError as error:
            _log.info("the status of %s/%s will be written again: %s", *key, error)
            if key in self._fleet.wants.by_key:
                self._fleet.changed.add(key)

    async def _forget(self, key: ResourceKey) -> None:
        try:
            await self._store.forget_status(key)
            self._fleet.gone.discard(key)
        except FleetError as error:
            _log.info("the status of %s/%s will be removed later: %s", *key, error)
