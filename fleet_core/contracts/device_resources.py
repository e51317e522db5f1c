"""The Device resource: what a cluster is told of a device, and what administrators add to it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from fleet_core.contracts.base import Resource, Timestamp
from fleet_core.contracts.devices import Fact
from fleet_core.contracts.names import DeviceId, LabelMap, Text
from fleet_core.contracts.resources import API_VERSION, Condition

DEVICE_KIND: Final = "Device"
ONLINE: Final = "Online"
"""The type of the condition that says whether a device can be reached."""


class DeviceMetadata(Resource):
    """What of a resource's ``metadata`` the fleet uses."""

    name: DeviceId
    labels: LabelMap = Field(default_factory=dict)
    """Those that the device tells, and those that an administrator has set, which win."""


class DeviceInventory(Resource):
    """Facts of the machine, as far as its agent could learn them."""

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


class DeviceSpec(Resource):
    """What a device says of itself."""

    inventory: DeviceInventory | None = None
    agent_version: Annotated[Text, Field(max_length=64)] = ""
    boot_id: Annotated[Text, Field(max_length=64)] = ""


class DeviceStatus(Resource):
    """What the operator says of a device."""

    conditions: Annotated[list[Condition], Field(max_length=16)] = Field(default_factory=list)
    last_heartbeat: Timestamp | None = None
    """When the server received it; written now and then, and when the device comes or goes."""


class Device(Resource):
    """A device, as a cluster shows it."""

    api_version: Literal["fleet.nationtech.io/v1alpha1"] = API_VERSION
    kind: Literal["Device"] = "Device"
    metadata: DeviceMetadata
    spec: DeviceSpec = Field(default_factory=DeviceSpec)
    status: DeviceStatus | None = None
