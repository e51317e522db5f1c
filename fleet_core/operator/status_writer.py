"""Writing statuses: what changed, and each Deployment's at most once a second."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fleet_core.errors import FleetError
from fleet_core.operator.happenings import happenings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.operator.fleet import Fleet
    from fleet_core.operator.resource_store import ResourceKey, ResourceStore
    from fleet_core.operator.stored import Stored

    LookAgain = Callable[[set[str]], None]

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
"""Between two writes of one Deployment's status."""
_WRITES_AT_ONCE: Final = 200


class StatusWriter:
    """Writes the statuses that the fleet says have changed, and the versions they speak of."""

    def __init__(
        self, store: ResourceStore, fleet: Fleet, stored: Stored, look_again: LookAgain
    ) -> None:
        self.written = 0
        """Statuses handed to the store."""
        self._store = store
        self._fleet = fleet
        self._stored = stored
        self._look_again = look_again
        self._written_at: dict[ResourceKey, float] = {}

    async def write_due(self, now: datetime, monotonic_s: float) -> None:
        """Write what has changed and was not written within the last second."""
        due = [
            key
            for key in self._fleet.changed
            if monotonic_s - self._written_at.get(key, -INTERVAL_S) >= INTERVAL_S
        ]
        for start in range(0, len(due), _WRITES_AT_ONCE):
            some = due[start : start + _WRITES_AT_ONCE]
            await asyncio.gather(*(self._write(key, now, monotonic_s) for key in some))

    def forget(self, key: ResourceKey) -> None:
        """Forget a Deployment that is gone."""
        self._written_at.pop(key, None)

    async def _write(self, key: ResourceKey, now: datetime, monotonic_s: float) -> None:
        # Taken out first: what changes while it is written is written again.
        self._fleet.changed.discard(key)
        self._written_at[key] = monotonic_s
        decided_from = self._fleet.rollouts.statuses.get(key)
        before = self._fleet.stored_status(key)
        status = self._fleet.status(key, now, self._stored.told_at_s)
        try:
            await self._write_revisions(key, status)
            await self._store.write_status(key, status)
        except FleetError as error:
            _log.info("the status of %s/%s will be written again: %s", *key, error)
            if self._fleet.is_known(key):
                self._fleet.changed.add(key)
            return
        self.written += 1
        for happening in happenings(before, status):
            level = logging.WARNING if happening.is_warning else logging.INFO
            _log.log(level, "%s/%s: %s: %s", *key, happening.reason, happening.message)
            self._store.tell(key, happening)
        if self._fleet.is_known(key):
            # Only what is stored counts: an operator that takes over decides from it.
            self._look_again(self._fleet.written(key, status, decided_from))

    async def _write_revisions(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store the versions that a status names before the status, and drop the oldest."""
        revisions = self._fleet.rollouts.revisions(key)
        for spec_hash in list(revisions.unwritten):
            revision = revisions.get(spec_hash)
            if revision is not None:
                await self._store.write_revision(key, revision)
            revisions.unwritten.discard(spec_hash)
        for spec_hash in revisions.too_many(status.rollout):
            await self._store.forget_revision(key, spec_hash)
            revisions.drop([spec_hash])
