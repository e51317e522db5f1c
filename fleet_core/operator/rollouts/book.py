"""How far every Deployment's rollout is, which versions it knows, and who is to have which. Pure.

What a step decides is *proposed*; it counts, and devices are told, once its status is stored and
*committed* here. Where all devices are told at once there is nothing to decide, and nothing waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import Strategy
from fleet_core.operator.rollouts.assignment import assigns_alike, version_for_all, version_of
from fleet_core.operator.rollouts.engine import Order, is_under_way, step
from fleet_core.operator.rollouts.membership import place_of
from fleet_core.operator.rollouts.revisions import Revisions
from fleet_core.operator.wants import commands_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from fleet_core.contracts.rollouts import Revision, RolloutStatus
    from fleet_core.operator.resource_store import ResourceKey
    from fleet_core.operator.rollouts.observed import Observed
    from fleet_core.operator.versions import Version
    from fleet_core.operator.wants import Want


class RolloutBook:
    """The rollouts of all Deployments."""

    def __init__(self) -> None:
        self.statuses: dict[ResourceKey, RolloutStatus] = {}
        """As stored."""
        self._revisions: dict[ResourceKey, Revisions] = {}
        self._orders: dict[ResourceKey, Order] = {}

    def revisions(self, key: ResourceKey) -> Revisions:
        """Return the versions that are known of a Deployment."""
        return self._revisions.setdefault(key, Revisions())

    def take_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Take a version that is stored."""
        self.revisions(key).take(revision)

    def take_up(self, want: Want, now: datetime) -> None:
        """Take what a Deployment asks for, once everything that is stored about it is known."""
        key, rollout = want.key, want.resource.spec.rollout
        update = self.revisions(key).take_up(want.resource, want.entry.spec_hash, now)
        self._orders[key] = Order(rollout, update, commands_of(want.resource))
        if rollout.strategy is Strategy.IMMEDIATE:
            self.statuses[key] = step(self.statuses.get(key), self._orders[key], (), now)

    def drop(self, key: ResourceKey) -> None:
        """Forget a Deployment."""
        for known in (self.statuses, self._revisions, self._orders):
            known.pop(key, None)

    def is_under_way(self, key: ResourceKey) -> bool:
        """Tell whether a rollout has to be looked at as time passes."""
        return is_under_way(self.statuses.get(key))

    def needs_devices(self, key: ResourceKey) -> bool:
        """Tell whether the next status depends on what the devices do."""
        order, status = self._orders.get(key), self.statuses.get(key)
        if order is None or order.rollout.strategy is Strategy.IMMEDIATE:
            return False
        begins = status is None or status.update.spec_hash != order.update.spec_hash
        return begins or is_under_way(status)

    def propose(
        self, key: ResourceKey, devices: Sequence[Observed], now: datetime
    ) -> RolloutStatus | None:
        """Return what is to be stored next; None for a Deployment that was not taken up."""
        order = self._orders.get(key)
        if order is None:
            return self.statuses.get(key)
        return step(self.statuses.get(key), order, devices, now)

    def commit(
        self,
        key: ResourceKey,
        status: RolloutStatus | None,
        devices: Iterable[tuple[str, Mapping[str, str]]],
    ) -> set[str]:
        """Take a status that was stored; returns the devices that are to have another version."""
        before = self.statuses.get(key)
        if status is None:
            self.statuses.pop(key, None)
        else:
            self.statuses[key] = status
        if assigns_alike(before, status):
            return set()
        return {
            device
            for device, labels in devices
            if _hash_of(before, key, device, labels) != _hash_of(status, key, device, labels)
        }

    def version(self, want: Want, device: str, labels: Mapping[str, str]) -> Version | None:
        """Return what a device is to have of a Deployment; None for what it has, whatever it is."""
        status = self.statuses.get(want.key)
        if status is None:
            return None
        ref = version_for_all(status) or version_of(
            status, device, labels, place_of(want.key, device)
        )
        return self.revisions(want.key).version(ref)


def _hash_of(
    status: RolloutStatus | None, key: ResourceKey, device: str, labels: Mapping[str, str]
) -> str | None:
    if status is None:
        return None
    ref = version_for_all(status) or version_of(status, device, labels, place_of(key, device))
    return ref.spec_hash if ref is not None else None
