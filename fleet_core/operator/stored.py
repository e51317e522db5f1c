"""What is stored for each device now, as far as the feeds and our own writes tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_MANIFEST,
    parse_desired_key,
    parse_manifest_key,
)
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.contracts.scores import payload_hash
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.operator.refusals import Refusals


class StoredEntry(NamedTuple):
    """What is stored of an entry."""

    spec_hash: str
    revision: int
    at_s: float
    """When the server took it, Unix seconds."""


@dataclass(slots=True, eq=False)
class StoredDevice:
    """The entries and the manifest of one device."""

    entries: dict[str, StoredEntry] = field(default_factory=dict)
    """By deployment."""
    manifest: DeviceManifest | None = None
    """None where there is none, or one that cannot be read."""
    manifest_revision: int = 0
    """Of the key's last message, a deletion included; 0 where there is none."""


class Stored:
    """All devices for which anything is stored."""

    def __init__(self) -> None:
        self._devices: dict[str, StoredDevice] = {}

    def device(self, device: str) -> StoredDevice:
        """Return what is stored for a device; empty where nothing is."""
        return self._devices.setdefault(device, StoredDevice())

    def devices(self) -> list[str]:
        """Return the devices for which anything is or was stored."""
        return list(self._devices)

    def deployments(self) -> set[str]:
        """Return the names of all deployments for which anything is stored."""
        found: set[str] = set()
        for stored in self._devices.values():
            found.update(stored.entries)
            if stored.manifest is not None:
                found.update(stored.manifest.deployments)
        return found

    def told_at_s(self, device: str, deployment: str, spec_hash: str) -> float | None:
        """Return when a version was stored for a device; None where another or none is."""
        stored = self._devices.get(device)
        entry = stored.entries.get(deployment) if stored is not None else None
        return entry.at_s if entry is not None and entry.spec_hash == spec_hash else None

    def names(self, device: str, deployment: str) -> bool:
        """Tell whether a deployment is still stored for a device, or named by its manifest."""
        stored = self._devices.get(device)
        if stored is None:
            return False
        named = stored.manifest is not None and deployment in stored.manifest.deployments
        return named or deployment in stored.entries

    def note_entry(self, device: str, deployment: str, entry: StoredEntry) -> bool:
        """Take note of an entry; tells whether it is news."""
        entries = self.device(device).entries
        before = entries.get(deployment)
        if before is not None and before.revision >= entry.revision:
            return False
        entries[deployment] = entry
        return before is None or before.spec_hash != entry.spec_hash

    def note_entry_gone(self, device: str, deployment: str, revision: int) -> bool:
        """Take note that an entry was deleted; tells whether it is news."""
        entries = self.device(device).entries
        before = entries.get(deployment)
        if before is None or before.revision > revision:
            return False
        del entries[deployment]
        return True

    def note_manifest(self, device: str, manifest: DeviceManifest | None, revision: int) -> bool:
        """Take note of a manifest, or of its deletion; tells whether it is news."""
        stored = self.device(device)
        if stored.manifest_revision >= revision > 0:
            return False
        changed = stored.manifest != manifest
        stored.manifest, stored.manifest_revision = manifest, revision
        return changed


class EntryTaker:
    """Takes the changes of the bucket `DESIRED_STATE`."""

    def __init__(self, stored: Stored, refusals: Refusals, changed: Callable[[str], None]) -> None:
        self._stored = stored
        self._refusals = refusals
        self._changed = changed

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float) -> None:
        """Note an entry; what it says is not read, only whether it is what we would write."""
        try:
            device, deployment = parse_desired_key(key)
        except InvalidInputError as error:
            self._refusals.note(DESIRED_STATE.name, key, error)
            return
        entry = StoredEntry(payload_hash(value), revision, received_at_s)
        if self._stored.note_entry(device, deployment, entry):
            self._changed(device)

    def on_delete(self, key: str, revision: int) -> None:
        """Note that an entry is gone."""
        try:
            device, deployment = parse_desired_key(key)
        except InvalidInputError:
            return
        if self._stored.note_entry_gone(device, deployment, revision):
            self._changed(device)

    def on_vanished(self, key: str) -> None:
        """Note that an entry is gone with its store: revisions begin anew."""
        try:
            device, deployment = parse_desired_key(key)
        except InvalidInputError:
            return
        self._stored.device(device).entries.pop(deployment, None)
        self._changed(device)


class ManifestTaker:
    """Takes the changes of the bucket `DEVICE_MANIFEST`."""

    def __init__(self, stored: Stored, refusals: Refusals, changed: Callable[[str], None]) -> None:
        self._stored = stored
        self._refusals = refusals
        self._changed = changed

    def on_put(self, key: str, value: bytes, revision: int, _received_at_s: float) -> None:
        """Note a manifest; one that cannot be read will be written anew."""
        manifest: DeviceManifest | None = None
        try:
            device = parse_manifest_key(key)
        except InvalidInputError as error:
            self._refusals.note(DEVICE_MANIFEST.name, key, error)
            return
        try:
            manifest = decode(DeviceManifest, value)
        except InvalidInputError as error:
            self._refusals.note(DEVICE_MANIFEST.name, key, error)
        if self._stored.note_manifest(device, manifest, revision) or manifest is None:
            self._changed(device)

    def on_delete(self, key: str, revision: int) -> None:
        """Note that a manifest is gone."""
        try:
            device = parse_manifest_key(key)
        except InvalidInputError:
            return
        if self._stored.note_manifest(device, None, revision):
            self._changed(device)

    def on_vanished(self, key: str) -> None:
        """Note that a manifest is gone with its store: revisions begin anew."""
        self.on_delete(key, 0)
