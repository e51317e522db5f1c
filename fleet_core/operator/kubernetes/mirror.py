"""The cluster's Deployments in KV buckets, read-only: who reaches NATS alone sees everything.

What stands in the buckets without our mark was put there by people, before a cluster held the
Deployments, or by an operator of another cluster: it is left alone, and told. What has our mark and
is not in the cluster any more was deleted there: that tells an operator what was deleted while it
was down, so it stays until no device is told to run it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    CONTROL_PLANE,
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    HOLDER_KEY,
    resource_key,
    revision_key,
)
from fleet_core.contracts.resources import MIRROR_ANNOTATION, Deployment, HeldBy, Holder
from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.messaging import KvBucket, KvFeed

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.messaging import Connection
    from fleet_core.operator.resource_store import ResourceHandler, ResourceKey

_log = logging.getLogger(__name__)

_BUCKETS: Final = (DEPLOYMENTS.name, DEPLOYMENT_STATUS.name, DEPLOYMENT_REVISIONS.name)
_RETRY_S: Final = 1.0


class Mirror:
    """What the buckets should hold, and what they do."""

    def __init__(self, connection: Connection, where: str, may_write: Callable[[], bool]) -> None:
        self.cluster_id = ""
        """Of our cluster; empty where it is not known: then nothing is known to be ours."""
        self._connection = connection
        self._where = where
        self._may_write = may_write
        self._wanted: dict[str, dict[str, bytes]] = {bucket: {} for bucket in _BUCKETS}
        self._stored: dict[str, _Stored] = {bucket: _Stored(self.look) for bucket in _BUCKETS}
        self._complete = False
        self._look = asyncio.Event()
        self._told_foreign: set[str] = set()

    def look(self) -> None:
        """Have the buckets compared soon."""
        self._look.set()

    def listed(self) -> None:
        """Everything in the cluster is known: what is not wanted by now may go."""
        self._complete = True
        self.look()

    def set_deployment(self, resource: Deployment) -> None:
        """Mirror a Deployment."""
        annotations = {**resource.metadata.annotations, MIRROR_ANNOTATION: self._mark}
        metadata = resource.metadata.model_copy(update={"annotations": annotations})
        marked = encode(resource.model_copy(update={"metadata": metadata}))
        self._wanted[DEPLOYMENTS.name][resource_key(*resource.key)] = marked
        self.look()

    @property
    def _mark(self) -> str:
        return f"{HeldBy.KUBERNETES.value}/{self.cluster_id}"

    def shown(self, names: AbstractSet[str]) -> AbstractSet[str] | None:
        """Return which of these names the buckets show as of our cluster; None: not known yet."""
        if not self._is_synced:
            return None
        return {
            key.partition(".")[2]
            for key, value in self._stored[DEPLOYMENTS.name].values.items()
            if key.partition(".")[2] in names and self._is_ours(value)
        }

    @property
    def _is_synced(self) -> bool:
        return all(stored.synced for stored in self._stored.values())

    def _is_ours(self, value: bytes) -> bool:
        with suppress(InvalidInputError):
            mark = decode(Deployment, value).metadata.annotations.get(MIRROR_ANNOTATION)
            return bool(self.cluster_id) and mark == self._mark
        return False

    def set_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Mirror a status."""
        self._wanted[DEPLOYMENT_STATUS.name][resource_key(*key)] = encode(status)
        self.look()

    def set_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Mirror a version."""
        name = revision_key(*key, revision.spec_hash)
        self._wanted[DEPLOYMENT_REVISIONS.name][name] = encode(revision)
        self.look()

    def drop_revision(self, key: ResourceKey, spec_hash: str) -> None:
        """Mirror a version no longer."""
        self._wanted[DEPLOYMENT_REVISIONS.name].pop(revision_key(*key, spec_hash), None)
        self.look()

    def drop(self, key: ResourceKey) -> None:
        """Mirror a Deployment no longer, nor what was told of it."""
        name = resource_key(*key)
        self._wanted[DEPLOYMENTS.name].pop(name, None)
        self._wanted[DEPLOYMENT_STATUS.name].pop(name, None)
        revisions = self._wanted[DEPLOYMENT_REVISIONS.name]
        for each in [each for each in revisions if each.startswith(f"{name}.")]:
            del revisions[each]
        self.look()

    async def run(self, handler: ResourceHandler) -> None:
        """Keep the buckets like the cluster until cancelled."""
        async with asyncio.TaskGroup() as group:
            for bucket, stored in self._stored.items():
                feed = KvFeed(self._connection, bucket, stored)
                group.create_task(feed.run(), name=f"mirror-{bucket}")
            group.create_task(self._keep(handler), name="mirror")

    async def _keep(self, handler: ResourceHandler) -> None:
        while True:
            await self._look.wait()
            self._look.clear()
            if not (self._complete and self._is_synced and self._may_write()):
                continue
            try:
                waits = await self._write_all(handler)
            except FleetError as error:
                _log.info("the mirror of the cluster will be written again: %s", error)
                waits = True
            if waits:
                await asyncio.sleep(_RETRY_S)
                self.look()

    async def _write_all(self, handler: ResourceHandler) -> bool:
        """Write what is different; tells whether something has to stay for a while."""
        holder = Holder(held_by=HeldBy.KUBERNETES, where=self._where)
        control = KvBucket(self._connection, CONTROL_PLANE.name)
        known = await control.get(HOLDER_KEY)
        if known is None or known.value != encode(holder):
            await control.put(HOLDER_KEY, encode(holder))
        foreign, kept = self._foreign(), False
        for name, wanted in self._wanted.items():
            bucket, stored = KvBucket(self._connection, name), self._stored[name].values
            for key, value in list(wanted.items()):
                if stored.get(key) != value:
                    await bucket.put(key, value)
                    stored[key] = value
            for key in stored.keys() - wanted.keys():
                of = _deployment_of(key)
                if of in foreign:
                    continue
                if name == DEPLOYMENTS.name and handler.still_stored(of.partition(".")[2]):
                    kept = True
                    continue
                await bucket.delete(key)
                stored.pop(key, None)
        return kept

    def _foreign(self) -> set[str]:
        """Return the keys of Deployments that did not come from our cluster."""
        found = {
            key
            for key, value in self._stored[DEPLOYMENTS.name].values.items()
            if key not in self._wanted[DEPLOYMENTS.name] and not self._is_ours(value)
        }
        for key in sorted(found - self._told_foreign):
            _log.warning(
                "the Deployment %s stands in NATS only and is not run: apply it to the cluster", key
            )
        self._told_foreign = found
        return found


def _deployment_of(key: str) -> str:
    """Return the key of the Deployment that a key of any of the buckets is about."""
    return ".".join(key.split(".")[:2])


class _Stored:
    """A bucket's values, byte for byte."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.values: dict[str, bytes] = {}
        self.synced = False
        self._changed = changed

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        self.values[key] = value
        if self.synced:
            self._changed()

    def on_delete(self, key: str, _revision: int) -> None:
        self.on_vanished(key)

    def on_vanished(self, key: str) -> None:
        self.values.pop(key, None)
        if self.synced:
            self._changed()

    def on_synced(self) -> None:
        self.synced = True
        self._changed()

    def on_stale(self, _reason: str) -> None:
        self.synced = False
