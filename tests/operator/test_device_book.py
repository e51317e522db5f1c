"""What is to be written of devices into a cluster, and what is left alone."""

from __future__ import annotations

from typing import Any

from fleet_core.contracts.devices import DeviceInfo, Inventory
from fleet_core.operator.kubernetes.devices import (
    REFRESH_EVERY_S,
    DeviceBook,
    device_object,
    spec_of,
    status_object,
)
from fleet_core.operator.resource_store import Presence

NOW_S = 1_800_000_000.0
HERE = Presence(online=True, heard_at_s=NOW_S)
GONE = Presence(online=False, heard_at_s=NOW_S)


def info(device: str = "till", version: str = "1.0", **labels: str) -> DeviceInfo:
    return DeviceInfo(
        device_id=device, labels=labels, agent_version=version, inventory=Inventory(arch="arm64")
    )


def as_applied(
    book: DeviceBook, told: DeviceInfo, version: int = 1, **given: str
) -> dict[str, Any]:
    """What an API server has, once what the book wants was applied over somebody's labels."""
    device = told.device_id
    own = book.wanted_labels(device)
    item = device_object(device, {**own, **given}, spec_of(told))
    fields = [
        {
            "manager": manager,
            "fieldsV1": {"f:metadata": {"f:labels": {f"f:{name}": {} for name in names}}},
        }
        for manager, names in (("fleet-operator", own), ("kubectl-label", given))
    ]
    item["metadata"] |= {"managedFields": fields, "resourceVersion": str(version)}
    return item


def test_a_new_device_is_applied_and_then_left_alone() -> None:
    book, told = DeviceBook(), info(site="berlin")
    book.say("till", told)
    assert book.must_apply("till")
    assert list(book.due) == ["till"]
    book.show("till", as_applied(book, told))
    assert not book.must_apply("till")
    book.say("till", info(site="berlin", version="1.1"))
    assert book.must_apply("till")


def test_labels_of_others_are_left_out_and_do_not_make_it_differ() -> None:
    book, told = DeviceBook(), info(site="berlin", ring="1")
    book.say("till", told)
    book.show("till", as_applied(book, told))
    item = as_applied(book, told, 2, ring="canary", owner="ops")
    item["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"].pop("f:ring")
    book.show("till", item)
    assert book.wanted_labels("till") == {"site": "berlin"}
    assert not book.must_apply("till")


def test_a_status_is_told_when_it_turns_and_when_its_heartbeat_is_old() -> None:
    book, told = DeviceBook(), info()
    book.say("till", told)
    assert not book.must_tell("till", HERE), "there is no resource to tell it in"
    item = as_applied(book, told)
    book.show("till", item)
    assert book.must_tell("till", HERE)
    item = {**item, **status_object("till", HERE, book.shown["till"], NOW_S)}
    item["spec"] = spec_of(told).model_dump(mode="json", by_alias=True)
    item["metadata"] = {**as_applied(book, told)["metadata"], "resourceVersion": "2"}
    book.show("till", item)
    assert not book.must_tell("till", HERE)
    assert book.must_tell("till", GONE)
    later = Presence(online=True, heard_at_s=NOW_S + REFRESH_EVERY_S)
    assert book.must_tell("till", later)
    assert book.stale({"till": NOW_S + REFRESH_EVERY_S - 1}, 5) == []
    assert book.stale({"till": NOW_S + REFRESH_EVERY_S}, 5) == ["till"]
    # What turned tells since when; what is the same keeps it.
    again = status_object("till", later, book.shown["till"], NOW_S + 999)
    assert again["status"]["conditions"][0]["lastTransitionTime"] == "2027-01-15T08:00:00Z"


def test_old_heartbeats_are_looked_for_round_after_round() -> None:
    book = DeviceBook()
    names = [f"d{number}" for number in range(10)]
    for name in names:
        told = info(name)
        book.say(name, told)
        book.show(name, as_applied(book, told))
    heard = dict.fromkeys(names, NOW_S)
    assert book.stale(heard, 4) == names[:4]
    assert book.stale(heard, 4) == names[4:8]
    book.show("d8", None)
    assert book.stale(heard, 2) == ["d9", "d0"]


def test_an_older_picture_counts_for_nothing() -> None:
    book, told = DeviceBook(), info(site="berlin")
    book.say("till", told)
    book.show("till", as_applied(book, told, 7))
    old = as_applied(book, told, 6)
    old["metadata"]["managedFields"] = []
    book.show("till", old)
    assert not book.must_apply("till")


def test_a_device_whose_info_was_deleted_goes_unless_it_comes_back() -> None:
    book = DeviceBook()
    book.say("till", info())
    book.say("till", None)
    assert book.leaving == {"till"}
    assert not book.must_apply("till")
    book.say("till", info())
    assert book.leaving == set()


def test_what_cannot_be_read_is_written_anew() -> None:
    book, told = DeviceBook(), info()
    book.say("till", told)
    item = as_applied(book, told)
    item["spec"] = {"agentVersion": 7}
    book.show("till", item)
    assert book.must_apply("till")
