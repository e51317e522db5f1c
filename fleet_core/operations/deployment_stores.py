"""Where Deployments are read and written by people: KV buckets, or the cluster of the context."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import CONTROL_PLANE, DEPLOYMENTS, HOLDER_KEY, resource_key
from fleet_core.contracts.resources import Deployment, HeldBy, Holder
from fleet_core.errors import InvalidInputError, RefusedError
from fleet_core.messaging import KvBucket

if TYPE_CHECKING:
    from fleet_core.messaging import Connection


@dataclass(frozen=True, slots=True)
class Stored:
    """A Deployment as it is stored."""

    revision: int
    """Of the key in its bucket, or the ``resourceVersion`` of the object in a cluster."""
    deployment: Deployment | None
    """None where what is stored breaks the contract."""
    raw: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The object in a cluster, with what is none of our business."""


class DeploymentStore(Protocol):
    """Reads and writes single Deployments; each write holds only if nobody wrote meanwhile."""

    async def check(self) -> None:
        """Raise RefusedError where Deployments cannot be changed from here."""

    async def read(self, namespace: str, name: str) -> Stored | None:
        """Return what is stored; None if nothing is."""

    async def create(self, deployment: Deployment) -> None:
        """Store a new one; raises ConflictError where there is one."""

    async def update(self, deployment: Deployment, before: Stored) -> None:
        """Store a changed one; raises ConflictError where somebody else wrote first."""

    async def delete(self, namespace: str, name: str, before: Stored | None) -> None:
        """Delete one; raises ConflictError where somebody else wrote first."""

    async def close(self) -> None:
        """Let go of what it stands on."""


class KvDeploymentStore:
    """Deployments in the bucket `DEPLOYMENTS`."""

    def __init__(self, connection: Connection) -> None:
        self._bucket = KvBucket(connection, DEPLOYMENTS.name)
        self._control = KvBucket(connection, CONTROL_PLANE.name)

    async def check(self) -> None:
        """Raise RefusedError where a cluster holds the Deployments: the bucket mirrors it."""
        entry = await self._control.get(HOLDER_KEY)
        if entry is None:
            return
        try:
            holder = decode(Holder, entry.value)
        except InvalidInputError:
            return
        if holder.held_by is HeldBy.KUBERNETES:
            raise RefusedError(
                f"the Deployments are held by the Kubernetes cluster {holder.where}",
                remedy="use kubectl, or a context of the config file that names its kubeconfig",
            )

    async def read(self, namespace: str, name: str) -> Stored | None:
        """Return what is stored; None if nothing is."""
        entry = await self._bucket.get(resource_key(namespace, name))
        if entry is None:
            return None
        try:
            return Stored(entry.revision, decode(Deployment, entry.value))
        except InvalidInputError:
            return Stored(entry.revision, None)

    async def create(self, deployment: Deployment) -> None:
        """Store a new one."""
        await self._bucket.create(resource_key(*deployment.key), encode(deployment))

    async def update(self, deployment: Deployment, before: Stored) -> None:
        """Store a changed one."""
        key = resource_key(*deployment.key)
        await self._bucket.update(key, encode(deployment), before.revision)

    async def delete(self, namespace: str, name: str, before: Stored | None) -> None:
        """Delete one."""
        revision = before.revision if before is not None else None
        await self._bucket.delete(resource_key(namespace, name), revision)

    async def close(self) -> None:
        """Nothing is held open."""
