"""Device resources: what a cluster should show of each device, and what it shows. Pure.

A device's labels and facts are applied by server-side apply, so that each field has an owner: what
an administrator has set stays theirs, and is left out of what is applied. Its `Online` condition
follows at once; the time of its last heartbeat, which changes all the time, only now and then.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fleet_core.cluster.known import version_of
from fleet_core.contracts.base import canonical_json, decode
from fleet_core.contracts.device_resources import (
    DEVICE_KIND,
    ONLINE,
    DeviceInventory,
    DeviceSpec,
    DeviceStatus,
)
from fleet_core.contracts.resources import API_VERSION
from fleet_core.errors import InvalidInputError
from fleet_core.operator.kubernetes.reading import given_labels, own_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.devices import DeviceInfo
    from fleet_core.operator.resource_store import Presence

REFRESH_EVERY_S: Final = 300.0
"""The time of the last heartbeat is at least as old as this before it is written again."""


@dataclass(slots=True)
class Shown:
    """What the cluster shows of a device."""

    digest: bytes = b""
    """Of the spec."""
    labels: dict[str, str] = field(default_factory=dict)
    """Those that the operator has set."""
    given: dict[str, str] = field(default_factory=dict)
    """Those that somebody else has set."""
    online: bool | None = None
    since: str | None = None
    """When `online` became so, as it stands there."""
    heard_at_s: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What a device says of itself."""

    digest: bytes
    labels: Mapping[str, str]


class DeviceBook:
    """What should be shown and what is, of all devices; `due` are those to look at, in order."""

    def __init__(self) -> None:
        self.due: OrderedDict[str, None] = OrderedDict()
        self.said: dict[str, Said] = {}
        self.shown: dict[str, Shown] = {}
        self.leaving: set[str] = set()
        """Devices whose info was deleted: their resources go."""
        self._round: deque[str] = deque()
        """All devices that are shown, the one that was looked at for its heartbeat longest ago
        first; some of them may be gone."""

    def say(self, device: str, info: DeviceInfo | None) -> None:
        """Take what a device says of itself; None once that was deleted."""
        if info is None:
            self.said.pop(device, None)
            self.leaving.add(device)
        else:
            self.leaving.discard(device)
            self.said[device] = Said(digest_of(spec_of(info)), info.labels)
        self.due[device] = None

    def show(self, device: str, item: dict[str, Any] | None) -> None:
        """Take what the cluster shows of a device; None: nothing."""
        if item is None:
            self.shown.pop(device, None)
        else:
            known, version = self.shown.get(device), version_of(item)
            if known is not None and known.version >= version:
                return
            if known is None:
                self._round.append(device)
            self.shown[device] = read_shown(item, version)
        if device in self.said:
            self.due[device] = None

    def must_apply(self, device: str) -> bool:
        """Tell whether a device's labels or facts are other than those that are shown."""
        said = self.said.get(device)
        if said is None:
            return False
        shown = self.shown.get(device)
        return shown is None or (shown.digest, shown.labels) != (
            said.digest,
            self.wanted_labels(device),
        )

    def must_tell(self, device: str, presence: Presence) -> bool:
        """Tell whether a device's status is another one than is shown, or its heartbeat old."""
        shown = self.shown.get(device)
        return shown is not None and (
            shown.online is not presence.online
            or (presence.heard_at_s or 0.0) - shown.heard_at_s >= REFRESH_EVERY_S
        )

    def wanted_labels(self, device: str) -> dict[str, str]:
        """Return the labels to be applied: the device's own but those that somebody else set."""
        said, shown = self.said[device], self.shown.get(device)
        given = shown.given if shown is not None else {}
        return {name: value for name, value in said.labels.items() if name not in given}

    def stale(self, heard: Mapping[str, float], at_most: int) -> list[str]:
        """Return devices whose last heartbeat is shown older than it may be, round after round."""
        found: list[str] = []
        for _ in range(min(len(self._round), 20 * at_most)):
            device = self._round.popleft()
            shown = self.shown.get(device)
            if shown is None:
                continue
            self._round.append(device)
            if heard.get(device, 0.0) - shown.heard_at_s >= REFRESH_EVERY_S:
                found.append(device)
                if len(found) >= at_most:
                    break
        return found


def spec_of(info: DeviceInfo) -> DeviceSpec:
    """Return what a resource says of a device, from what the device says of itself."""
    return DeviceSpec(
        inventory=DeviceInventory.model_validate(info.inventory.model_dump()),
        agent_version=info.agent_version,
        boot_id=info.boot_id,
    )


def digest_of(spec: DeviceSpec) -> bytes:
    """Return what differs where two specs do."""
    return hashlib.blake2b(canonical_json(_dumped(spec)), digest_size=12).digest()


def device_object(device: str, labels: Mapping[str, str], spec: DeviceSpec) -> dict[str, Any]:
    """Return what is applied of a device's labels and facts."""
    return {
        "apiVersion": API_VERSION,
        "kind": DEVICE_KIND,
        "metadata": {"name": device, "labels": dict(labels)},
        "spec": _dumped(spec),
    }


def status_object(device: str, presence: Presence, shown: Shown, now_s: float) -> dict[str, Any]:
    """Return what is applied of a device's status."""
    since = shown.since if shown.online is presence.online and shown.since else _utc(now_s)
    condition = {
        "type": ONLINE,
        "status": "True" if presence.online else "False",
        "reason": "Heartbeats" if presence.online else "NoHeartbeat",
        "message": "" if presence.online else "it was silent for too long",
        "lastTransitionTime": since,
    }
    status: dict[str, Any] = {"conditions": [condition]}
    if presence.heard_at_s is not None:
        status["lastHeartbeat"] = _utc(presence.heard_at_s)
    return {
        "apiVersion": API_VERSION,
        "kind": DEVICE_KIND,
        "metadata": {"name": device},
        "status": status,
    }


def read_shown(item: dict[str, Any], version: int) -> Shown:
    """Return what an object shows; what cannot be read counts as nothing, and is written anew."""
    shown = Shown(labels=own_labels(item), given=given_labels(item), version=version)
    try:
        spec = decode(DeviceSpec, canonical_json(item.get("spec") or {}))
        status = decode(DeviceStatus, canonical_json(item.get("status") or {}))
    except InvalidInputError:
        return shown
    shown.digest = digest_of(spec)
    for condition in status.conditions:
        if condition.type == ONLINE:
            shown.online = condition.status == "True"
            if condition.last_transition_time is not None:
                shown.since = _utc(condition.last_transition_time.timestamp())
    if status.last_heartbeat is not None:
        shown.heard_at_s = status.last_heartbeat.timestamp()
    return shown


def _dumped(spec: DeviceSpec) -> dict[str, Any]:
    # Old API servers take no empty texts, and what is not known need not be said.
    dumped: dict[str, Any] = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return dumped


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
