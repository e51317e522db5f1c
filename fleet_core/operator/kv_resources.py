"""Deployment resources in KV buckets, where no cluster holds them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    parse_resource_key,
    resource_key,
    revision_key,
)
from fleet_core.contracts.resources import Deployment
from fleet_core.errors import InvalidInputError
from fleet_core.messaging import KvBucket, KvFeed
from fleet_core.operator.kv_written import RevisionFeed, StatusFeed

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from fleet_core.contracts.devices import DeviceInfo
    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.contracts.rollouts import Revision
    from fleet_core.messaging import Connection
    from fleet_core.operator.happenings import Happening
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceHandler, ResourceKey

_log = logging.getLogger(__name__)


class KvResourceStore:
    """A `ResourceStore` over the buckets of Deployments, their statuses and their versions."""

    def __init__(self, connection: Connection, refusals: Refusals) -> None:
        self._connection = connection
        self._refusals = refusals
        self._status_bucket = KvBucket(connection, DEPLOYMENT_STATUS.name)
        self._revision_bucket = KvBucket(connection, DEPLOYMENT_REVISIONS.name)
        self._statuses = StatusFeed(refusals)
        self._revisions = RevisionFeed(refusals)

    @property
    def may_write(self) -> bool:
        """Always: several operators write the same, by compare-and-set."""
        return True

    def deleted_unseen(self, names: AbstractSet[str]) -> AbstractSet[str] | None:
        """None of them: a deletion leaves a marker, and a store without one was lost."""
        del names
        return frozenset()

    async def run(self, handler: ResourceHandler) -> None:
        """Follow the buckets until cancelled."""
        self._statuses.handler = self._revisions.handler = handler
        takers: dict[str, _ResourceFeed | StatusFeed | RevisionFeed] = {
            DEPLOYMENTS.name: _ResourceFeed(handler, self._refusals),
            DEPLOYMENT_STATUS.name: self._statuses,
            DEPLOYMENT_REVISIONS.name: self._revisions,
        }
        together = _WhenAllSynced(handler, len(takers))
        async with asyncio.TaskGroup() as group:
            for bucket, taker in takers.items():
                feed = KvFeed(self._connection, bucket, _Joined(taker, together))
                group.create_task(feed.run(), name=f"feed-{bucket}")

    async def write_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store a status, unless it is stored; what somebody else stored is not overwritten."""
        name, payload = resource_key(*key), encode(status)
        stored = self._statuses.stored.get(name)
        if stored is not None and stored.payload == payload:
            return
        before = self._statuses.last_revision(name)
        revision = await self._status_bucket.update(name, payload, before)
        self._statuses.note_written(name, payload, revision)

    async def write_revision(self, key: ResourceKey, revision: Revision) -> None:
        """Store a version."""
        name, payload = revision_key(*key, revision.spec_hash), encode(revision)
        if self._revisions.stored.get(name) != payload:
            await self._revision_bucket.put(name, payload)
            self._revisions.stored[name] = payload

    async def forget_revision(self, key: ResourceKey, spec_hash: str) -> None:
        """Delete a version."""
        name = revision_key(*key, spec_hash)
        if name in self._revisions.stored:
            await self._revision_bucket.delete(name)
            self._revisions.stored.pop(name, None)

    def tell(self, key: ResourceKey, happening: Happening) -> None:
        """Nothing: the log has it."""

    def on_device_info(self, device: str, info: DeviceInfo | None) -> None:
        """Nothing: the bucket itself shows it."""

    def on_device_presence(self, device: str) -> None:
        """Nothing: the heartbeats themselves show it."""

    async def let_go(self, key: ResourceKey) -> None:
        """Delete what was written about a Deployment."""
        name = resource_key(*key)
        for each in [each for each in self._revisions.stored if each.startswith(f"{name}.")]:
            await self._revision_bucket.delete(each)
            self._revisions.stored.pop(each, None)
        if name in self._statuses.stored:
            await self._status_bucket.delete(name)
            self._statuses.stored.pop(name, None)


class _ResourceFeed:
    """Reads Deployments at the door; what is malformed leaves the last good one in force."""

    def __init__(self, handler: ResourceHandler, refusals: Refusals) -> None:
        self._handler = handler
        self._refusals = refusals

    def on_put(self, key: str, value: bytes, revision: int, _received_at_s: float) -> None:
        try:
            named = parse_resource_key(key)
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENTS.name, key, error)
            return
        try:
            resource = _read(key, value)
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENTS.name, key, error)
            self._handler.on_refused(named, revision, error)
            return
        self._handler.on_resource(resource)

    def on_delete(self, key: str, _revision: int) -> None:
        try:
            self._handler.on_deleted(parse_resource_key(key))
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENTS.name, key, error)

    def on_vanished(self, key: str) -> None:
        # Deleting leaves a marker. A key without one is a store that was lost: no order to stop.
        _log.error(
            "the Deployment %s is gone from its bucket and was not deleted; devices keep it, and "
            "it counts until this operator ends: apply it again",
            key,
        )


def _read(key: str, value: bytes) -> Deployment:
    resource = decode(Deployment, value)
    if resource.key != parse_resource_key(key):
        raise InvalidInputError(
            "the metadata names another Deployment than the key",
            path="metadata.name",
            expected=key,
        )
    return resource


class _WhenAllSynced:
    """Tells that everything is synced once each of several feeds is."""

    def __init__(self, handler: ResourceHandler, feeds: int) -> None:
        self._handler = handler
        self._missing = feeds
        self._synced: set[int] = set()

    def synced(self, feed: object) -> None:
        self._synced.add(id(feed))
        if len(self._synced) == self._missing:
            self._handler.on_resources_synced()

    def stale(self, feed: object, reason: str) -> None:
        self._synced.discard(id(feed))
        self._handler.on_resources_stale(reason)


class _Joined:
    """A feed handler whose being synced counts together with that of others."""

    def __init__(
        self, taker: _ResourceFeed | StatusFeed | RevisionFeed, together: _WhenAllSynced
    ) -> None:
        self._together = together
        self.on_put = taker.on_put
        self.on_delete = taker.on_delete
        self.on_vanished = taker.on_vanished

    def on_synced(self) -> None:
        self._together.synced(self)

    def on_stale(self, reason: str) -> None:
        self._together.stale(self, reason)
