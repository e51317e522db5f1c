"""Devices and Deployments in real buckets, written as agents and people write them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    heartbeat_key,
    info_key,
    resource_key,
    state_key,
)
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, encode_heartbeat
from fleet_core.contracts.resources import DeploymentStatus
from fleet_core.errors import InvalidInputError
from fleet_core.messaging import KvBucket, KvFeed, ensure_buckets
from tests.operator.fleets import moment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.states import DeploymentState
    from fleet_core.messaging import Connection


class Bucket:
    """What a bucket holds, as a feed shows it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.order: list[str] = []
        """The keys in the order in which they were written."""
        self.synced = False

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        self.values[key] = value
        self.order.append(key)

    def on_delete(self, key: str, _revision: int) -> None:
        self.values.pop(key, None)
        self.order.append(f"-{key}")

    def on_synced(self) -> None:
        self.synced = True

    def on_stale(self, _reason: str) -> None:
        self.synced = False


class Plant:
    """A server's buckets, and short words for what devices and people write."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def prepare(self) -> None:
        """Create the buckets."""
        await ensure_buckets(self.connection)

    def bucket(self, name: str) -> KvBucket:
        return KvBucket(self.connection, name)

    def feed(self, name: str, shown: Bucket) -> KvFeed:
        return KvFeed(self.connection, name, shown)

    async def device(self, device: str, **labels: str) -> None:
        """A device that tells its labels and is alive."""
        info = DeviceInfo(device_id=device, labels=labels, agent_version="1.0.0")
        await self.bucket(DEVICE_INFO.name).put(info_key(device), encode(info))
        await self.beat(device)

    async def beat(self, device: str) -> None:
        """A sign of life."""
        beat = encode_heartbeat(device, moment(time.time()))
        await self.bucket(DEVICE_HEARTBEAT.name).put(heartbeat_key(device), beat)

    async def tell(self, state: DeploymentState) -> None:
        """A device tells how a deployment is."""
        key = state_key(state.device_id, state.deployment)
        await self.bucket(DEVICE_STATE.name).put(key, encode(state))

    async def withdraw(self, device: str, deployment: str) -> None:
        """A device does not run a deployment any more, and says nothing of it."""
        await self.bucket(DEVICE_STATE.name).delete(state_key(device, deployment))

    async def apply(self, resource: Deployment) -> None:
        """Somebody applies a Deployment."""
        key = resource_key(*resource.key)
        await self.bucket(DEPLOYMENTS.name).put(key, encode(resource))

    async def delete(self, name: str) -> None:
        """Somebody deletes a Deployment."""
        await self.bucket(DEPLOYMENTS.name).delete(resource_key("default", name))

    async def manifest(self, device: str) -> DeviceManifest | None:
        """What a device is told to run."""
        entry = await self.bucket(DEVICE_MANIFEST.name).get(device)
        return None if entry is None else decode(DeviceManifest, entry.value)

    async def named(self, device: str) -> list[str]:
        """The deployments that a device's manifest names; none where it cannot be read."""
        try:
            manifest = await self.manifest(device)
        except InvalidInputError:
            return []
        return sorted(manifest.deployments) if manifest is not None else []

    async def entry(self, device: str, deployment: str) -> bytes | None:
        """The score that a device should run."""
        entry = await self.bucket(DESIRED_STATE.name).get(f"{device}.{deployment}")
        return None if entry is None else entry.value

    async def status(self, name: str) -> DeploymentStatus | None:
        """A Deployment's status."""
        entry = await self.bucket(DEPLOYMENT_STATUS.name).get(resource_key("default", name))
        return None if entry is None else decode(DeploymentStatus, entry.value)

    async def counts(self, name: str) -> dict[str, int]:
        """The counts of a Deployment's status that are not zero."""
        status = await self.status(name)
        if status is None:
            return {}
        counts = status.aggregate.model_dump(exclude={"last_error"})
        return {what: count for what, count in counts.items() if count}

    async def everything(self) -> dict[str, bytes]:
        """All desired entries and manifests, byte for byte."""
        found = {}
        for name in (DESIRED_STATE.name, DEVICE_MANIFEST.name):
            found.update({f"{name}/{k}": v for k, v in (await self.all_of(name)).items()})
        return found

    async def all_of(self, bucket: str) -> dict[str, bytes]:
        """Everything in a bucket, read as a newcomer reads it."""
        shown = Bucket()
        following = asyncio.create_task(self.feed(bucket, shown).run())
        await eventually(lambda: shown.synced)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return shown.values
