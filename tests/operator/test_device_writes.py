"""What is written for a device: only what changed, never an order to stop that nobody gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.devices import DeviceManifest
from fleet_core.operator.device_writes import DeviceWrites, plan_device
from fleet_core.operator.stored import StoredDevice, StoredEntry
from fleet_core.operator.versions import Version
from fleet_core.operator.wants import Want
from tests.operator.fleets import NOW_S, deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_core.contracts.resources import Deployment


def everything_may_go(_name: str) -> bool:
    return True


def nothing_may_go(_name: str) -> bool:
    return False


def plan(
    stored: StoredDevice,
    wanted: Mapping[str, Version | None] | None,
    may_go: Callable[[str], bool] = everything_may_go,
    now_s: float = NOW_S,
) -> DeviceWrites:
    return plan_device(stored, wanted, may_go=may_go, interval_s=30, now_s=now_s)


def after(stored: StoredDevice, writes: DeviceWrites) -> StoredDevice:
    """What is stored once everything planned has been written."""
    entries = dict(stored.entries)
    for name, version in writes.entries:
        entries[name] = StoredEntry(version.entry.spec_hash, 7, NOW_S)
    for name, _ in writes.removals:
        del entries[name]
    return StoredDevice(entries, writes.manifest or stored.manifest, 9)


def version_of(resource: Deployment) -> Version:
    want = Want.of(resource)
    return Version(want.score, want.entry)


WEB = version_of(deployment("web"))
DB = version_of(deployment("db", image="registry.example/db:1"))


def test_a_new_device_gets_its_entries_and_a_manifest_that_names_them() -> None:
    writes = plan(StoredDevice(), {"web": WEB, "db": DB})
    assert writes.entries == (("web", WEB), ("db", DB))
    assert writes.manifest is not None
    assert writes.manifest.deployments == {"web": WEB.entry, "db": DB.entry}
    assert writes.manifest.generation == int(NOW_S * 1_000)
    assert writes.removals == ()


def test_once_it_is_written_there_is_nothing_to_write() -> None:
    wanted = {"web": WEB, "db": DB}
    first = StoredDevice()
    assert not plan(after(first, plan(first, wanted)), wanted)


def test_a_device_that_needs_nothing_gets_no_manifest() -> None:
    assert not plan(StoredDevice(), {})


def test_a_changed_score_rewrites_one_entry_and_makes_the_manifest_newer() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB, "db": DB}))
    changed = version_of(deployment("web", image="registry.example/web:2", generation=2))
    writes = plan(stored, {"web": changed, "db": DB}, now_s=NOW_S - 500)
    assert writes.entries == (("web", changed),)
    assert writes.manifest is not None
    assert stored.manifest is not None
    assert writes.manifest.generation == stored.manifest.generation + 1


def test_what_no_longer_matches_leaves_the_manifest_first() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB, "db": DB}))
    writes = plan(stored, {"db": DB})
    assert writes.manifest is not None
    assert list(writes.manifest.deployments) == ["db"]
    assert writes.removals == (("web", 7),)
    assert list(after(stored, writes).entries) == ["db"]


def test_what_was_lost_but_not_deleted_keeps_running() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB}))
    assert not plan(stored, {}, nothing_may_go)
    writes = plan(stored, {"db": DB}, nothing_may_go)
    assert writes.manifest is not None
    assert set(writes.manifest.deployments) == {"db", "web"}
    assert writes.removals == ()


def test_a_device_whose_labels_are_unknown_keeps_all_but_what_was_deleted() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB, "db": DB}))
    assert not plan(stored, None, nothing_may_go)
    writes = plan(stored, None, lambda name: name == "web")
    assert writes.manifest is not None
    assert list(writes.manifest.deployments) == ["db"]


def test_a_device_keeps_what_it_has_of_a_deployment_without_a_version_for_it() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB, "db": DB}))
    assert not plan(stored, {"web": None, "db": DB})
    assert not plan(StoredDevice(), {"web": None})


def test_a_lost_manifest_is_written_again_newer_than_the_clock_says_it_was() -> None:
    stored = after(StoredDevice(), plan(StoredDevice(), {"web": WEB}, now_s=NOW_S))
    lost = StoredDevice(stored.entries, None, 0)
    writes = plan(lost, {"web": WEB}, now_s=NOW_S + 60)
    assert writes.entries == ()
    assert writes.manifest is not None
    assert stored.manifest is not None
    assert writes.manifest.generation > stored.manifest.generation


def test_another_heartbeat_interval_is_told() -> None:
    manifest = DeviceManifest(generation=1, heartbeat_interval_s=10, deployments={"web": WEB.entry})
    stored = StoredDevice({"web": StoredEntry(WEB.entry.spec_hash, 1, NOW_S)}, manifest, 1)
    writes = plan(stored, {"web": WEB})
    assert writes.manifest is not None
    assert writes.manifest.heartbeat_interval_s == 30
