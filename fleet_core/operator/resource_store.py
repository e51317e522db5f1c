"""The seam to where Deployment resources are kept: KV buckets, or a Kubernetes API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from fleet_core.contracts.devices import DeviceInfo
    from fleet_core.contracts.resources import Deployment, DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.errors import InvalidInputError
    from fleet_core.operator.happenings import Happening

ResourceKey = tuple[str, str]
"""Namespace and name."""


class Presence(NamedTuple):
    """What is known of a device's signs of life."""

    online: bool
    heard_at_s: float | None
    """When the server received the last one, Unix seconds."""


class ResourceHandler(Protocol):
    """Takes what a store tells of its resources, in order; it must not raise.

    Statuses and revisions are told for the operator that takes over: what it wrote itself comes
    back too, and is no news.
    """

    def on_resource(self, resource: Deployment) -> None:
        """A Deployment stands like this now."""

    def on_refused(self, key: ResourceKey, generation: int, error: InvalidInputError) -> None:
        """A Deployment stands in a way that cannot be read; the last good one stays in force."""

    def on_deleted(self, key: ResourceKey) -> None:
        """Somebody deleted a Deployment, now or before we looked.

        A resource that is missing without having been deleted (a lost store) is never told.
        """

    def on_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """This status is stored."""

    def on_revision(self, key: ResourceKey, revision: Revision) -> None:
        """This version of a Deployment is stored."""

    def on_device_labels(self, device: str, labels: Mapping[str, str] | None) -> None:
        """An administrator has set these labels of a device; None: there is no such device.

        They win over what the device says of itself.
        """

    def on_resources_synced(self) -> None:
        """Everything the store holds has been told; again after each outage."""

    def on_may_write(self) -> None:
        """From now on this operator writes: it is the only one, or the one before has left."""

    def presence(self, device: str) -> Presence:
        """Return what is known of a device's signs of life."""

    @property
    def heard_at_s(self) -> Mapping[str, float]:
        """When the server received each device's last sign of life, Unix seconds."""

    @property
    def writes(self) -> bool:
        """Whether everything is known, and this operator may write."""

    def still_stored(self, name: str) -> bool:
        """Tell whether any device's desired state still names a deployment that nobody wants."""

    def on_resources_stale(self, reason: str) -> None:
        """Changes may be missing from now on, until synced again."""


class ResourceStore(Protocol):
    """Where Deployments are read from, and their status and revisions are written to.

    All writes are idempotent: what is stored already is not written again. All of them raise
    `RetryLaterError` if the store did not take it now.
    """

    @property
    def may_write(self) -> bool:
        """Whether this operator is the one that writes, where there are several."""

    def deleted_unseen(self, names: AbstractSet[str]) -> AbstractSet[str] | None:
        """Return which deployments were deleted from this store while nobody looked.

        Asked of names that devices have and that no Deployment stands for. What is merely missing,
        from a store that was lost or is another one than before, is no order to stop anything.
        None: not known yet.
        """

    async def run(self, handler: ResourceHandler) -> None:
        """Tell of all resources, and of their changes, until cancelled."""

    async def write_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store a status.

        Raises:
            ConflictError: somebody else has written another one since the last that was told.
            RetryLaterError: the store did not take it now.
        """

    async def write_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Store a version, in place of one with the same ``spec_hash``."""

    async def forget_revision(self, key: ResourceKey, spec_hash: str) -> None:
        """Remove a version that is no longer kept."""

    def tell(self, key: ResourceKey, happening: Happening) -> None:
        """Tell people who look at a Deployment what happened, where there is a place for it."""

    def on_device_info(self, device: str, info: DeviceInfo | None) -> None:
        """A device says this of itself; None: somebody deleted what it said."""

    def on_device_presence(self, device: str) -> None:
        """A device has come or gone: `ResourceHandler.presence` says which."""

    async def let_go(self, key: ResourceKey) -> None:
        """Remove the status and all versions of a Deployment that was deleted.

        Called once its entries are gone from all devices' desired state, and the devices have
        confirmed it or were given up: where the store keeps deleted resources until then
        (finalizers), it lets this one go.
        """
