"""Kubernetes Events of what happened to Deployments: few, bounded, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fleet_core.cluster import paths
from fleet_core.contracts.resources import API_VERSION, DEPLOYMENT_KIND
from fleet_core.errors import FleetError, NotFoundError
from fleet_core.operator.kubernetes.reading import FIELD_MANAGER

if TYPE_CHECKING:
    from fleet_core.cluster.client import ClusterClient, Object
    from fleet_core.operator.happenings import Happening
    from fleet_core.operator.resource_store import ResourceKey

_log = logging.getLogger(__name__)

MAX_WAITING: Final = 500
"""Events that wait to be written; what comes on top is dropped, and counted."""
PER_S: Final = 10.0
_REMEMBERED: Final = 512
"""Events that are counted up when the same happens again, as client-go does."""
_MESSAGE_MAX_CHARS: Final = 1_024
"""What the API server takes."""


@dataclass(slots=True)
class _Written:
    name: str
    count: int = 1


class EventRecorder:
    """Writes Events about Deployments, the oldest first, at a bounded rate."""

    def __init__(self, client: ClusterClient) -> None:
        self.written = 0
        self.dropped = 0
        self._client = client
        self._waiting: asyncio.Queue[tuple[ResourceKey, str, Happening]] = asyncio.Queue(
            MAX_WAITING
        )
        self._known: OrderedDict[tuple[str, Happening], _Written] = OrderedDict()

    def note(self, key: ResourceKey, uid: str, happening: Happening) -> None:
        """Have something told of the Deployment with this uid."""
        if self._waiting.full():
            self.dropped += 1
            return
        self._waiting.put_nowait((key, uid, happening))

    async def run(self) -> None:
        """Write them until cancelled."""
        while True:
            key, uid, happening = await self._waiting.get()
            try:
                await self._write(key, uid, happening)
                self.written += 1
            except FleetError as error:
                # An Event is no more than a hint: the status says it all.
                self.dropped += 1
                _log.info("an event of %s/%s is not written: %s", *key, error)
            await asyncio.sleep(1 / PER_S)

    async def _write(self, key: ResourceKey, uid: str, happening: Happening) -> None:
        known = self._known.get((uid, happening))
        if known is not None:
            changes = {"count": known.count + 1, "lastTimestamp": _now()}
            try:
                await self._client.patch(paths.event(key[0], known.name), changes)
            except NotFoundError:
                del self._known[uid, happening]  # They live for an hour only.
            else:
                known.count += 1
                return
        body = event_object(key, uid, happening)
        await self._client.create(paths.events(key[0]), body)
        self._known[uid, happening] = _Written(body["metadata"]["name"])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def event_object(key: ResourceKey, uid: str, happening: Happening) -> Object:
    """Return the Event of something that happened now."""
    namespace, name = key
    now = _now()
    about: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": DEPLOYMENT_KIND,
        "namespace": namespace,
        "name": name,
        "uid": uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{time.time_ns():x}", "namespace": namespace},
        "involvedObject": about,
        "reason": happening.reason,
        "message": happening.message[:_MESSAGE_MAX_CHARS],
        "type": "Warning" if happening.is_warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
