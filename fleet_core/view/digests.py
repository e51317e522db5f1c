"""What the read model needs of a device's payloads, read from the bytes in a fifth of the time.

A view of 100,000 devices reads 600,000 payloads before it is complete. Decoding each of them into
the contract's models takes 25 µs for a state; what is kept of a healthy one is six small values.
These schemas check the same rules on the fields that are used, and look at no other; whatever is
shown in full is decoded in full, by the contract's own models.
"""

from __future__ import annotations

import json
import re
from sys import intern
from typing import TYPE_CHECKING, Annotated, Any, Final, NotRequired

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from fleet_core.contracts.base import MAX_PAYLOAD_BYTES, decode
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, is_heartbeat_of
from fleet_core.contracts.names import Generation, SpecHash, Text
from fleet_core.contracts.scores import MAX_CONTAINERS
from fleet_core.contracts.states import DeploymentState, Phase, Reason
from fleet_core.view.rows import DesiredRow

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRICT: Final = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


@with_config(_STRICT)
class _Container(TypedDict):
    restart_count: NotRequired[Annotated[int, Field(ge=0)]]


_Containers = Annotated[list[_Container], Field(max_length=MAX_CONTAINERS)]


@with_config(_STRICT)
class StateDigest(TypedDict):
    """What is kept of every state."""

    device_id: str
    deployment: str
    phase: Phase
    last_event_at: AwareDatetime
    generation: NotRequired[Generation | None]
    spec_hash: NotRequired[SpecHash | None]
    reason: NotRequired[Reason]
    init_container_statuses: NotRequired[_Containers]
    container_statuses: NotRequired[_Containers]
    failure: NotRequired[Any]


@with_config(_STRICT)
class InfoDigest(TypedDict):
    """What is kept of what a device says of itself."""

    device_id: str
    labels: NotRequired[Annotated[dict[str, str], Field(max_length=64)]]
    """By no rules yet: `check_labels` is asked once for each set of labels."""
    agent_version: Annotated[Text, Field(max_length=64)]


_STATES: Final = TypeAdapter(StateDigest)
_INFOS: Final = TypeAdapter(InfoDigest)
_MANIFEST: Final = re.compile(
    rb'(\{"deployments":\{[^\x00-\x1f\\]*\}\}),"generation":\d{1,15},'
    rb'"heartbeat_interval_s":(\d{1,4})\}'
)
_HEARTBEAT: Final = re.compile(
    rb'\{"at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","device_id":"([a-z0-9-]{1,63})"\}'
)
_MANIFESTS_KEPT: Final = 10_000


def digest_state(payload: bytes) -> StateDigest:
    """Return what is kept of a state.

    Raises:
        InvalidInputError: it breaks the contract; the place and what was expected are told.
    """
    if len(payload) <= MAX_PAYLOAD_BYTES and b"\\u0000" not in payload:
        try:
            return _STATES.validate_json(payload)
        except ValidationError:
            pass  # the contract's model says what is wrong with it, in its own words
    state = decode(DeploymentState, payload)
    return _STATES.validate_python(state.model_dump())


def digest_info(payload: bytes) -> InfoDigest:
    """Return what is kept of a device's info; raises InvalidInputError as `digest_state`."""
    if len(payload) <= MAX_PAYLOAD_BYTES and b"\\u0000" not in payload:
        try:
            return _INFOS.validate_json(payload)
        except ValidationError:
            pass  # as above
    return _INFOS.validate_python(decode(DeviceInfo, payload).model_dump())


def check_labels(labels: Mapping[str, str]) -> None:
    """Let only labels pass that keep Kubernetes' rules.

    Raises:
        InvalidInputError: they do not; the label and what was expected are told.
    """
    info = {"device_id": "a", "agent_version": "", "labels": dict(labels)}
    decode(DeviceInfo, json.dumps(info).encode())


def restarts_of(digest: StateDigest) -> int:
    """Return the restarts of all containers."""
    statuses = (*digest.get("init_container_statuses", ()), *digest.get("container_statuses", ()))
    return sum(status.get("restart_count", 0) for status in statuses)


class ManifestReader:
    """Reads manifests; devices that run the same have all but the generation in common."""

    def __init__(self) -> None:
        self._known: dict[bytes, dict[str, DesiredRow]] = {}

    def read(self, payload: bytes) -> tuple[dict[str, DesiredRow], int]:
        """Return what is desired by deployment, and the heartbeat interval in seconds.

        The mapping is the same object for all devices that run the same.

        Raises:
            InvalidInputError: it breaks the contract.
        """
        found = _MANIFEST.fullmatch(payload)
        if found is not None:
            known = self._known.get(found[1])
            interval_s = int(found[2])
            if known is not None and 1 <= interval_s <= 3600:  # noqa: PLR2004 - the contract's bounds
                return known, interval_s
        manifest = decode(DeviceManifest, payload)
        wanted = {
            intern(name): DesiredRow(entry.generation, intern(entry.spec_hash))
            for name, entry in sorted(manifest.deployments.items())
        }
        if found is not None:
            if len(self._known) >= _MANIFESTS_KEPT:
                self._known.clear()
            self._known[found[1]] = wanted
        return wanted, manifest.heartbeat_interval_s


def is_heartbeat(payload: bytes, device_id: str) -> bool:
    """Tell whether a payload is a sound heartbeat of that device."""
    found = _HEARTBEAT.fullmatch(payload)
    if found is not None and found[1] == device_id.encode():
        # As the agent writes it; that its date is one at all matters to nobody.
        return True
    return is_heartbeat_of(payload, device_id)
