"""One device in full, read from the buckets: every container, what is wanted, what is observed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fleet_core.contracts.base import Wire, decode
from fleet_core.contracts.buckets import (
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    heartbeat_key,
    info_key,
    manifest_key,
    state_key,
)
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest
from fleet_core.contracts.states import DeploymentState
from fleet_core.contracts.text import printable
from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_core.operations.targets import device_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.messaging import KvEntry
    from fleet_core.operations.live import LiveFleet

_Model = TypeVar("_Model", bound=Wire)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is stored of one device now."""

    device_id: str
    info: DeviceInfo | None
    manifest: DeviceManifest | None
    states: Mapping[str, DeploymentState]
    """By deployment, of those that the manifest names."""
    heartbeat_received_at_s: float | None
    """When the server received the last heartbeat, Unix seconds."""
    problems: tuple[str, ...]
    """What is stored and breaks the contract, one sentence each."""


async def inspect_device(fleet: LiveFleet, device_id: str) -> Inspection:
    """Read everything that is stored of a device: a handful of direct reads, whatever the fleet.

    Raises:
        InvalidInputError: it is no device id.
        NotFoundError: nothing is stored of it.
        RetryLaterError: the link is gone, or a bucket does not answer.
    """
    (name,) = device_ids([device_id])
    info, manifest, heartbeat = await asyncio.gather(
        _get(fleet, DEVICE_INFO.name, info_key(name)),
        _get(fleet, DEVICE_MANIFEST.name, manifest_key(name)),
        _get(fleet, DEVICE_HEARTBEAT.name, heartbeat_key(name)),
    )
    if info is None and manifest is None and heartbeat is None:
        raise NotFoundError(f"there is no device {name}", remedy="fleet get devices lists them")
    problems: list[str] = []
    read_manifest = _read(DeviceManifest, manifest, DEVICE_MANIFEST.name, problems)
    names = sorted(read_manifest.deployments) if read_manifest is not None else []
    entries = await asyncio.gather(
        *(_get(fleet, DEVICE_STATE.name, state_key(name, deployment)) for deployment in names)
    )
    states = {
        deployment: state
        for deployment, entry in zip(names, entries, strict=True)
        if (state := _read(DeploymentState, entry, DEVICE_STATE.name, problems)) is not None
    }
    return Inspection(
        device_id=name,
        info=_read(DeviceInfo, info, DEVICE_INFO.name, problems),
        manifest=read_manifest,
        states=states,
        heartbeat_received_at_s=heartbeat.received_at_s if heartbeat is not None else None,
        problems=tuple(problems),
    )


async def _get(fleet: LiveFleet, bucket: str, key: str) -> KvEntry | None:
    # Imported where it is used: listing commands must not pay for it.
    from fleet_core.messaging import KvBucket  # noqa: PLC0415

    return await KvBucket(fleet.connection, bucket).get(key)


def _read(
    model: type[_Model], entry: KvEntry | None, bucket: str, problems: list[str]
) -> _Model | None:
    if entry is None:
        return None
    try:
        return decode(model, entry.value)
    except InvalidInputError as error:
        problems.append(printable(f"{bucket} {entry.key}: {error}", 500))
        return None
