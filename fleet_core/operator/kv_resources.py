"""Deployment resources in KV buckets, where no cluster holds them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    parse_resource_key,
    resource_key,
)
from fleet_core.contracts.resources import Deployment
from fleet_core.errors import InvalidInputError
from fleet_core.messaging import KvBucket, KvFeed

if TYPE_CHECKING:
    from fleet_core.contracts.resources import DeploymentStatus
    from fleet_core.messaging import Connection
    from fleet_core.operator.refusals import Refusals
    from fleet_core.operator.resource_store import ResourceHandler, ResourceKey

_log = logging.getLogger(__name__)


class KvResourceStore:
    """A `ResourceStore` over the buckets `DEPLOYMENTS` and `DEPLOYMENT_STATUS`."""

    def __init__(self, connection: Connection, refusals: Refusals) -> None:
        self._connection = connection
        self._refusals = refusals
        self._bucket = KvBucket(connection, DEPLOYMENT_STATUS.name)
        self._statuses = _StoredStatuses()

    async def run(self, handler: ResourceHandler) -> None:
        """Follow both buckets until cancelled."""
        resources = _ResourceFeed(handler, self._refusals)
        both = _WhenAllSynced(handler, 2)
        async with asyncio.TaskGroup() as group:
            for bucket, taker in (
                (DEPLOYMENTS.name, _Joined(resources, both)),
                (DEPLOYMENT_STATUS.name, _Joined(self._statuses, both)),
            ):
                feed = KvFeed(self._connection, bucket, taker)
                group.create_task(feed.run(), name=f"feed-{bucket}")

    async def write_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store a status, if another one is stored."""
        name, payload = resource_key(*key), encode(status)
        if self._statuses.stored.get(name) != payload:
            await self._bucket.put(name, payload)
            self._statuses.stored[name] = payload

    async def forget_status(self, key: ResourceKey) -> None:
        """Delete a status, if there is one."""
        name = resource_key(*key)
        if name in self._statuses.stored:
            await self._bucket.delete(name)
            self._statuses.stored.pop(name, None)


class _ResourceFeed:
    """Reads Deployments at the door; what is malformed leaves the last good one in force."""

    def __init__(self, handler: ResourceHandler, refusals: Refusals) -> None:
        self._handler = handler
        self._refusals = refusals

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        try:
            resource = _read(key, value)
        except InvalidInputError as error:
            self._refusals.note(DEPLOYMENTS.name, key, error)
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


class _StoredStatuses:
    """What is stored, byte for byte."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        self.stored[key] = value

    def on_delete(self, key: str, _revision: int) -> None:
        self.stored.pop(key, None)

    def on_vanished(self, key: str) -> None:
        self.stored.pop(key, None)


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
    """A feed handler whose being synced counts together with another's."""

    def __init__(self, taker: _ResourceFeed | _StoredStatuses, both: _WhenAllSynced) -> None:
        self._both = both
        self.on_put = taker.on_put
        self.on_delete = taker.on_delete
        self.on_vanished = taker.on_vanished

    def on_synced(self) -> None:
        self._both.synced(self)

    def on_stale(self, reason: str) -> None:
        self._both.stale(self, reason)
