"""Deployments that were deleted, until no device runs them any more, or those that do are given up.

A deleted Deployment's entries are taken from the devices' desired state at once. It is let go once
the devices have withdrawn what they say of it; a device that is out of reach is waited for until
`FORGET_AFTER_S`, and removes it whenever it comes back.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from fleet_core.errors import FleetError

if TYPE_CHECKING:
    from fleet_core.operator.fleet import Fleet
    from fleet_core.operator.resource_store import ResourceKey, ResourceStore
    from fleet_core.operator.stored import Stored

_log = logging.getLogger(__name__)

_EVERY_S: Final = 1.0
"""Between two looks at who still has a name: all devices are gone through."""
FORGET_AFTER_S: Final = 600.0
"""Ten minutes: twice as long as a device may be silent before it counts as offline."""


class Leaving:
    """The Deployments that were deleted and not yet let go."""

    def __init__(
        self, store: ResourceStore, fleet: Fleet, stored: Stored, forget_after_s: float
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._stored = stored
        self._forget_after_s = forget_after_s
        self._since: dict[ResourceKey, float] = {}
        self._looked_at_s = float("-inf")

    def __contains__(self, key: ResourceKey) -> bool:
        """Tell whether a Deployment was deleted and not yet let go."""
        return key in self._since

    async def let_go_of_those_that_left(self, monotonic_s: float) -> list[ResourceKey]:
        """Let go of each one that no device has any more; returns them."""
        if monotonic_s < self._looked_at_s + _EVERY_S:
            return []
        self._looked_at_s = monotonic_s
        left = []
        for key in list(self._fleet.gone):
            since = self._since.setdefault(key, monotonic_s)
            waiting = self._still_having(key[1])
            if waiting and monotonic_s < since + self._forget_after_s:
                continue
            if waiting:
                _log.warning(
                    "%s/%s is let go though %d devices, as %s, have not confirmed that it is "
                    "removed; they remove it when they come back",
                    *(*key, len(waiting), min(waiting)),
                )
            try:
                await self._store.let_go(key)
            except FleetError as error:
                _log.info("%s/%s will be let go later: %s", *key, error)
                continue
            self._fleet.gone.discard(key)
            self._since.pop(key, None)
            left.append(key)
        for key in self._since.keys() - self._fleet.gone:
            del self._since[key]  # It was applied again.
        return left

    def _still_having(self, name: str) -> set[str]:
        if self._fleet.wants.claims(name):
            return set()  # Another Deployment has the name: what devices say is about that one.
        stored = {device for device in self._stored.devices() if self._stored.names(device, name)}
        return stored | self._fleet.aggregation.telling(name)
