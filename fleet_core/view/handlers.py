"""What takes what devices tell into the read model: decoded, checked against its key."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from sys import intern
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    parse_heartbeat_key,
    parse_info_key,
    parse_manifest_key,
    parse_state_key,
)
from fleet_core.contracts.states import DeploymentState
from fleet_core.contracts.text import printable
from fleet_core.errors import InvalidInputError
from fleet_core.view.devices import NO_LABELS
from fleet_core.view.digests import (
    ManifestReader,
    check_labels,
    digest_info,
    digest_state,
    is_heartbeat,
    restarts_of,
)
from fleet_core.view.health import Health
from fleet_core.view.rows import Event, StateRow
from fleet_core.view.summary import is_failing_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_core.view.fleet import FleetView

_HEARTBEAT_START: Final = len("heartbeat.")
_INFO_START: Final = len("info.")
_NAMES_KEPT: Final = 10_000
"""Bounds what hostile names can fill."""


class ViewHandler(ABC):
    """Takes one bucket's changes; what breaks the contract is counted and changes nothing."""

    def __init__(self, view: FleetView, bucket: str) -> None:
        self.synced = False
        self.stale_reason = ""
        self._view = view
        self._bucket = bucket

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float) -> None:
        """Take a value."""
        del revision
        try:
            self.take(key, value, received_at_s)
        except InvalidInputError as error:
            self._view.counters.reject(self._bucket, printable(key, 128), printable(str(error)))
        if self.synced and received_at_s > self._view.newest_s:
            self._view.newest_s = received_at_s

    def on_delete(self, key: str, revision: int) -> None:
        """Take a key's end."""
        del revision
        try:
            self.drop(key)
        except InvalidInputError as error:
            self._view.counters.reject(self._bucket, printable(key, 128), printable(str(error)))

    def on_synced(self) -> None:
        """Know that the bucket has been read completely."""
        self.synced = True
        self.stale_reason = ""

    def on_stale(self, reason: str) -> None:
        """Know that the picture may be old.

        What comes until the next `on_synced` is a replay of stored values: their receive times are
        no measure of the server's present.
        """
        self.synced = False
        self.stale_reason = reason

    @abstractmethod
    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a value; raises InvalidInputError where it breaks the contract."""

    @abstractmethod
    def drop(self, key: str) -> None:
        """Take a key's end; raises InvalidInputError for a foreign key."""


class HeartbeatHandler(ViewHandler):
    """Takes signs of life: 3,500 a second, so the known device's path is short."""

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Note when the server received it."""
        view = self._view
        devices = view.devices
        device_id = key[_HEARTBEAT_START:]
        slot = devices.slot_of.get(device_id)
        if slot is None:
            device_id = parse_heartbeat_key(key)
        if not is_heartbeat(value, device_id):
            raise InvalidInputError(
                "not a heartbeat of this device", expected="its id and the time, under 96 bytes"
            )
        if slot is None:
            slot = view.slot(device_id)
        seen_s = devices.seen_s[slot]
        if received_at_s <= seen_s:
            return
        if seen_s:
            devices.gap_s[slot] = received_at_s - seen_s
        devices.seen_s[slot] = received_at_s
        if devices.health[slot] != Health.ONLINE:
            view.judge(slot)

    def drop(self, key: str) -> None:
        """Forget the device's signs of life."""
        view = self._view
        slot = view.devices.slot_of.get(parse_heartbeat_key(key))
        if slot is not None:
            view.devices.seen_s[slot] = 0.0
            view.devices.gap_s[slot] = math.nan
            view.set_health(slot, Health.UNKNOWN)
            view.forget_if_empty(slot)

    def known_keys(self) -> Iterator[str]:
        """Return the keys of all devices that have been heard of."""
        devices = self._view.devices
        return (f"heartbeat.{d}" for d, slot in devices.slot_of.items() if devices.seen_s[slot])

    def knows(self, key: str) -> bool:
        """Tell whether a device has been heard of."""
        slot = self._view.devices.slot_of.get(key[_HEARTBEAT_START:])
        return slot is not None and bool(self._view.devices.seen_s[slot])


class InfoHandler(ViewHandler):
    """Takes labels and versions."""

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a device's word on itself."""
        del received_at_s
        device_id = parse_info_key(key)
        info = digest_info(value)
        own(info["device_id"], device_id)
        view = self._view
        devices = view.devices
        labels = devices.shared_labels(info.get("labels", NO_LABELS), check_labels)
        slot = view.slot(device_id)
        devices.labels[slot] = labels
        devices.versions[slot] = intern(printable(info["agent_version"], 64))
        devices.has_info[slot] = 1
        devices.refresh_text(slot)
        view.touch(slot)

    def drop(self, key: str) -> None:
        """Forget what the device said of itself."""
        view = self._view
        slot = view.devices.slot_of.get(parse_info_key(key))
        if slot is not None:
            view.devices.has_info[slot] = 0
            view.devices.labels[slot] = view.devices.shared_labels({})
            view.devices.refresh_text(slot)
            view.touch(slot)
            view.forget_if_empty(slot)

    def known_keys(self) -> Iterator[str]:
        """Return the keys of all devices that have told of themselves."""
        devices = self._view.devices
        return (f"info.{d}" for d, slot in devices.slot_of.items() if devices.has_info[slot])

    def knows(self, key: str) -> bool:
        """Tell whether a device has told of itself."""
        slot = self._view.devices.slot_of.get(key[_INFO_START:])
        return slot is not None and bool(self._view.devices.has_info[slot])


class ManifestHandler(ViewHandler):
    """Takes what devices should run."""

    def __init__(self, view: FleetView, bucket: str) -> None:
        super().__init__(view, bucket)
        self._reader = ManifestReader()

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a device's manifest."""
        del received_at_s
        device_id = parse_manifest_key(key)
        desired, interval_s = self._reader.read(value)
        view = self._view
        slot = view.slot(device_id)
        view.devices.desired[slot] = desired
        if view.devices.interval_s[slot] != interval_s:
            view.devices.interval_s[slot] = interval_s
            view.judge(slot)
        view.resummarise(slot)

    def drop(self, key: str) -> None:
        """Forget the device's manifest."""
        view = self._view
        slot = view.devices.slot_of.get(parse_manifest_key(key))
        if slot is not None:
            view.devices.desired[slot] = None
            view.resummarise(slot)
            view.forget_if_empty(slot)

    def known_keys(self) -> Iterator[str]:
        """Return the ids of all devices that have a manifest."""
        devices = self._view.devices
        return (d for d, slot in devices.slot_of.items() if devices.desired[slot] is not None)

    def knows(self, key: str) -> bool:
        """Tell whether a device has a manifest."""
        slot = self._view.devices.slot_of.get(key)
        return slot is not None and self._view.devices.desired[slot] is not None


class StateHandler(ViewHandler):
    """Takes what devices observe of their deployments: most of all there is to read."""

    def __init__(self, view: FleetView, bucket: str) -> None:
        super().__init__(view, bucket)
        self._names: dict[str, str] = {}
        self._words: dict[str, str] = {}

    def take(self, key: str, value: bytes, received_at_s: float) -> None:
        """Take a state, unless a newer one is known."""
        del received_at_s
        view = self._view
        device_id, name = self._place(key)
        digest = digest_state(value)
        if digest["device_id"] != device_id or digest["deployment"] != name:
            own(f"{digest['device_id']}/{digest['deployment']}", f"{device_id}/{name}")
        failing = is_failing_digest(digest)
        # What is shown in full is checked in full.
        detail = decode(DeploymentState, value) if failing else None
        slot = view.slot(device_id)
        states = view.devices.states[slot]
        known = states.get(name)
        at_s = digest["last_event_at"].timestamp()
        if known is not None and at_s < known.at_s:
            return
        row = StateRow(
            phase=digest["phase"].value,
            reason=self._word(digest.get("reason", "")),
            spec_hash=intern(digest.get("spec_hash") or ""),
            generation=digest.get("generation") or 0,
            restarts=restarts_of(digest),
            at_s=at_s,
            failing=failing,
            detail=detail,
        )
        states[name] = row
        if failing:
            view.failing[slot, name] = row
        elif known is not None and known.failing:
            view.failing.pop((slot, name), None)
        if self.synced and (known is None or known.reason != row.reason):
            view.events.append(Event(at_s, device_id, name, row.reason or row.phase))
        view.resummarise(slot)

    def _place(self, key: str) -> tuple[str, str]:
        """Return device and deployment; names that were seen before are sound already."""
        prefix, _, rest = key.partition(".")
        device_id, _, name = rest.partition(".")
        if prefix == "state" and device_id in self._view.devices.slot_of:
            known = self._names.get(name)
            if known is not None:
                return device_id, known
        device_id, name = parse_state_key(key)
        if len(self._names) < _NAMES_KEPT:
            self._names[name] = intern(name)
        return device_id, intern(name)

    def _word(self, reason: str) -> str:
        """Return a reason as it can be shown; there are few different ones."""
        known = self._words.get(reason)
        if known is None:
            known = printable(reason, 128)
            if len(self._words) < _NAMES_KEPT:
                self._words[reason] = known
        return known

    def drop(self, key: str) -> None:
        """Forget a state."""
        device_id, name = parse_state_key(key)
        view = self._view
        slot = view.devices.slot_of.get(device_id)
        if slot is not None:
            view.devices.states[slot].pop(name, None)
            view.failing.pop((slot, name), None)
            view.resummarise(slot)
            view.forget_if_empty(slot)

    def known_keys(self) -> Iterator[str]:
        """Return the keys of all states."""
        devices = self._view.devices
        for device_id, slot in devices.slot_of.items():
            for name in devices.states[slot]:
                yield f"state.{device_id}.{name}"

    def knows(self, key: str) -> bool:
        """Tell whether a device has told of a deployment."""
        _, _, rest = key.partition(".")
        device_id, _, name = rest.partition(".")
        slot = self._view.devices.slot_of.get(device_id)
        return slot is not None and name in self._view.devices.states[slot]


def own(claimed: str, actual: str) -> None:
    """Refuse a payload that speaks of something else than its key does."""
    if claimed != actual:
        raise InvalidInputError(
            f"the payload speaks of {claimed[:80]!r}, its key of {actual[:80]!r}",
            expected=f"a payload of {actual[:80]}",
        )
