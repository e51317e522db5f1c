"""What has to be written for one device, from what is wanted and what is stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_core.contracts.devices import DeviceManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_core.contracts.devices import ManifestEntry
    from fleet_core.operator.stored import StoredDevice
    from fleet_core.operator.versions import Version


@dataclass(frozen=True, slots=True)
class DeviceWrites:
    """Entries first, then the manifest that names them, then the removal of what it named."""

    entries: tuple[tuple[str, Version], ...] = ()
    """By deployment."""
    manifest: DeviceManifest | None = None
    """None where the stored one is right."""
    removals: tuple[tuple[str, int], ...] = ()
    """Entries that nothing names any more, with the revision that may be deleted."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.entries or self.manifest is not None or self.removals)


def plan_device(
    stored: StoredDevice,
    wanted: Mapping[str, Version | None] | None,
    *,
    may_go: Callable[[str], bool],
    interval_s: int,
    now_s: float,
) -> DeviceWrites:
    """Return what has to be written.

    Args:
        stored: what the buckets hold.
        wanted: what the device must run; None where its labels are not known, so that nobody can
            say: it keeps what it has, but for what was deleted. Where a deployment has no version,
            it keeps the one that it has.
        may_go: whether a deployment that is not wanted may be removed: it was deleted, or it
            stands and does not select the device. A deployment that was merely lost may not.
        interval_s: between heartbeats.
        now_s: Unix seconds. A manifest's generation is at least this in milliseconds, so that one
            written into a store that was lost is newer than what the devices hold, however often
            theirs had changed.
    """
    named = stored.manifest.deployments if stored.manifest is not None else {}
    kept = {
        name: entry for name, entry in named.items() if name in (wanted or {}) or not may_go(name)
    }
    versions = {name: version for name, version in (wanted or {}).items() if version is not None}
    entries = tuple(
        (name, version)
        for name, version in versions.items()
        if not _is_stored(stored, name, version.entry.spec_hash)
    )
    deployments = dict(
        sorted({**kept, **{name: version.entry for name, version in versions.items()}}.items())
    )
    removals = tuple(
        (name, entry.revision)
        for name, entry in sorted(stored.entries.items())
        if name not in deployments and name not in (wanted or {}) and may_go(name)
    )
    return DeviceWrites(entries, _manifest(stored, deployments, interval_s, now_s), removals)


def _is_stored(stored: StoredDevice, name: str, spec_hash: str) -> bool:
    found = stored.entries.get(name)
    return found is not None and found.spec_hash == spec_hash


def _manifest(
    stored: StoredDevice, deployments: dict[str, ManifestEntry], interval_s: int, now_s: float
) -> DeviceManifest | None:
    before = stored.manifest
    if before is None and not deployments:
        return None
    if (
        before is not None
        and before.deployments == deployments
        and before.heartbeat_interval_s == interval_s
    ):
        return None
    generation = max(before.generation + 1 if before is not None else 0, int(now_s * 1_000))
    return DeviceManifest(
        generation=generation, heartbeat_interval_s=interval_s, deployments=deployments
    )
