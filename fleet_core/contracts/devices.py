"""What a device says of itself (info, heartbeat), and what it is told to run (manifest)."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from fleet_core.contracts.base import Timestamp, Wire, canonical_json, decode
from fleet_core.contracts.names import (
    DeploymentName,
    DeviceId,
    Generation,
    LabelMap,
    SpecHash,
    Text,
)
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from datetime import datetime

HEARTBEAT_MAX_BYTES: Final = 95
"""A heartbeat is under 96 bytes: 100,000 devices send one every 30 s."""
DEFAULT_HEARTBEAT_INTERVAL_S: Final = 30
MAX_DEPLOYMENTS_PER_DEVICE: Final = 1_000

Fact = Annotated[Text, Field(max_length=256)]


class Inventory(Wire):
    """Facts of the machine, as far as the agent could learn them."""

    hostname: Fact | None = None
    os: Fact | None = None
    kernel: Fact | None = None
    arch: Fact | None = None
    model: Fact | None = None
    cpus: Annotated[int, Field(ge=0)] | None = None
    memory_bytes: Annotated[int, Field(ge=0)] | None = None
    disk_bytes: Annotated[int, Field(ge=0)] | None = None
    runtime: Fact | None = None
    """The container runtime and its version."""


class DeviceInfo(Wire):
    """A device's labels and facts; written when the agent starts and when they change."""

    device_id: DeviceId
    labels: LabelMap = Field(default_factory=dict)
    inventory: Inventory = Field(default_factory=Inventory)
    agent_version: Annotated[Text, Field(max_length=64)]
    boot_id: Annotated[Text, Field(max_length=64)] = ""
    """The kernel's ``/proc/sys/kernel/random/boot_id``: changes with every boot."""
    started_at: Timestamp | None = None


class Heartbeat(Wire):
    """A sign of life. Its age is told by the server's receive time, never by ``at``."""

    device_id: DeviceId
    at: Timestamp | None = None


class ManifestEntry(Wire):
    """One deployment that a device should run."""

    generation: Generation
    spec_hash: SpecHash


class DeviceManifest(Wire):
    """The whole truth of what a device should run: what it does not name is removed."""

    generation: Generation
    """Grows with every change; a device accepts only a manifest newer than the one it holds."""
    heartbeat_interval_s: Annotated[int, Field(ge=1, le=3600)] = DEFAULT_HEARTBEAT_INTERVAL_S
    deployments: Annotated[
        dict[DeploymentName, ManifestEntry], Field(max_length=MAX_DEPLOYMENTS_PER_DEVICE)
    ] = Field(default_factory=dict)


def encode_heartbeat(device_id: str, at: datetime) -> bytes:
    """Return a heartbeat of at most `HEARTBEAT_MAX_BYTES`.

    ``at`` is given to the second, and left out where a long device id leaves no room for it.
    """
    second = at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    payload = canonical_json({"device_id": device_id, "at": second})
    if len(payload) <= HEARTBEAT_MAX_BYTES:
        return payload
    return canonical_json({"device_id": device_id})


def is_heartbeat_of(payload: bytes, device_id: str) -> bool:
    """Tell whether the payload is a sound heartbeat of that device."""
    if len(payload) > HEARTBEAT_MAX_BYTES:
        return False
    try:
        return decode(Heartbeat, payload).device_id == device_id
    except InvalidInputError:
        return False
