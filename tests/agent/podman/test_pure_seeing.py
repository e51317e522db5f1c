"""Without podman: what its JSON says of a container, whoever wrote its labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.runtime.contract import RunState, Snapshot
from fleet_agent.runtime.podman.seeing import (
    address_of,
    key_of,
    snapshot_of,
    stop_grace_s,
    unreachable,
)
from tests.agent.podman.containers import PREFIX, SHOP, service

LABEL = st.sampled_from(
    ["deployment", "container", "role", "spec-hash", "boot-id", "attempt", "stop-grace-s"]
).map(lambda name: f"{PREFIX}/{name}")


def told(status: str = "running", labels: Any = None, **state: Any) -> Any:
    return {
        "Id": "abc",
        "Name": SHOP.runtime_name,
        "ImageName": "web:1",
        "Config": {"Labels": service().labels if labels is None else labels},
        "State": {"Status": status, **state},
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {},
    }


def seen(*words: Any, **state: Any) -> Snapshot:
    found = snapshot_of(told(*words, **state), starting=False)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", RunState.UNSTARTED),
        ("configured", RunState.UNSTARTED),
        ("initialized", RunState.UNSTARTED),
        ("running", RunState.RUNNING),
        ("paused", RunState.RUNNING),
        ("stopping", RunState.RUNNING),
        ("stopped", RunState.EXITED),
        ("exited", RunState.EXITED),
        ("removing", RunState.EXITED),
        ("unheard-of", RunState.EXITED),
    ],
)
def test_podmans_words_for_where_it_is(word: str, state: RunState) -> None:
    assert seen(word).state is state


def test_one_that_is_being_started_is_not_unstarted() -> None:
    found = snapshot_of(told("created"), starting=True)
    assert found is not None
    assert found.state is RunState.CREATED


def test_how_it_ended_is_told_only_of_one_that_ended() -> None:
    state = {
        "StartedAt": "2026-01-01T00:00:10.5Z",
        "FinishedAt": "2026-01-01T00:00:12.123456789+00:00",
        "ExitCode": 137,
        "OOMKilled": True,
    }
    found = seen("exited", **state)
    assert (found.exit_code, found.oom_killed) == (137, True)
    assert found.started_at_s is not None
    assert found.finished_at_s == pytest.approx(found.started_at_s + 1.623456, abs=1e-5)
    found = seen("running", **state)
    assert (found.exit_code, found.oom_killed, found.finished_at_s) == (None, False, None)


def test_moments_that_are_none_and_an_end_before_the_start() -> None:
    state = {"StartedAt": "2026-01-01T00:00:10Z", "FinishedAt": "2026-01-01T00:00:09Z"}
    found = seen("exited", **state)
    assert found.finished_at_s == found.started_at_s
    for moment in ("0001-01-01T00:00:00Z", "", None, "yesterday"):
        assert seen("exited", StartedAt=moment).started_at_s is None


def test_our_own_labels_are_this_run() -> None:
    assert service(attempt=5).is_same_run(seen("running", service(attempt=5).labels))
    assert not service(attempt=5).is_same_run(seen("running", service(attempt=4).labels))


def test_another_name_is_nobodys() -> None:
    assert snapshot_of({**told(), "Name": "other"}, starting=False) is None


@given(st.dictionaries(LABEL, st.text()), st.booleans())
def test_no_labels_whatever_raise_or_are_this_run(labels: dict[str, str], whole: bool) -> None:  # noqa: FBT001 - drawn
    labels = {**service().labels, **labels} if whole else labels
    found = snapshot_of(told("running", labels), starting=False)
    if found is not None:
        assert found.key == SHOP
        assert found.attempt >= 0
        same = {**service().labels, **labels} == {**labels, **service().labels}
        grace = f"{PREFIX}/stop-grace-s"
        assert service().is_same_run(found) <= (same or grace in labels or _is_zero(labels))
    assert 0 <= stop_grace_s(told("running", labels), 10) <= 3600


def _is_zero(labels: dict[str, str]) -> bool:
    """``00`` is as good as ``0``."""
    return set(labels[f"{PREFIX}/attempt"]) == {"0"}


@pytest.mark.parametrize("name", ["", "A", "a.b", "-a", "a" * 64, "../x", "a b", "ü", "a\n"])
def test_names_that_cannot_be_are_no_key(name: str) -> None:
    for part in ("deployment", "container"):
        assert key_of({**service().labels, f"{PREFIX}/{part}": name}) is None


def test_a_grace_that_is_no_number_is_the_default() -> None:
    def grace(text: str) -> float:
        return stop_grace_s(told("running", {f"{PREFIX}/stop-grace-s": text}), 10.0)

    assert [grace(text) for text in ("", "x", "-1", "9" * 99, "5", "0")] == [10, 10, 10, 10, 5, 0]
    assert grace("99999999") == 3600
    assert stop_grace_s(told("running", {}), 10.0) == 10


def test_where_a_port_is_reached() -> None:
    def at(ports: Any = None, networks: Any = None, mode: str = "bridge", **where: Any) -> Any:
        settings = {"Ports": ports, "Networks": networks}
        return address_of(
            {"HostConfig": {"NetworkMode": mode}, "NetworkSettings": settings},
            **{"rootless": False, "port": 80, **where},
        )

    published = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}  # noqa: S104 - read only
    bridged = {"fleet-shop": {"IPAddress": "10.0.0.2"}}
    assert at(published, bridged) == ("127.0.0.1", 8080)
    assert at({"80/tcp": [{"HostIp": "", "HostPort": "81"}]}) == ("127.0.0.1", 81)
    assert at({"80/tcp": [{"HostIp": "10.1.1.1", "HostPort": "81"}]}) == ("10.1.1.1", 81)
    assert at({"80/tcp": None, "80/udp": published["80/tcp"]}, bridged) == ("10.0.0.2", 80)
    assert at({}, bridged, rootless=True) is None
    assert at(published, bridged, rootless=True) == ("127.0.0.1", 8080)
    assert at(mode="host") == ("127.0.0.1", 80)
    assert at({}, {"fleet-shop": {"IPAddress": ""}}) is None


def test_why_a_port_is_not_reached() -> None:
    inspected = told()
    assert "not published" in unreachable(inspected, 80)
    inspected["HostConfig"]["NetworkMode"] = "none"
    assert unreachable(inspected, 80) == "port 80 cannot be reached: the container has no network"
