"""A Deployment's status: what each device counts as, and incremental counts against a recount."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet_core.contracts.states import Failure, Phase
from fleet_core.operator.aggregation import Report, Standing, judge
from fleet_core.operator.fleet import Fleet
from fleet_core.operator.wants import Want
from tests.operator.fleets import NOW_S, deployment, moment, state

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment, DeploymentStatus
    from fleet_core.operator.resource_store import ResourceKey

KEY = ("default", "web")
HASH = Want.of(deployment()).entry.spec_hash


def status_of(fleet: Fleet, key: ResourceKey = KEY) -> DeploymentStatus:
    return fleet.status(key, moment(NOW_S), lambda *_: None)


def fleet_of(*devices: str) -> Fleet:
    """A fleet of online devices and one Deployment that selects them all."""
    fleet = Fleet(30)
    fleet.tick(NOW_S)
    for device in devices:
        fleet.set_labels(device, {"site": "berlin"})
        fleet.heard(device, NOW_S, live=False)
    fleet.set_resource(deployment())
    return fleet


@pytest.mark.parametrize(
    ("phase", "spec_hash", "reason", "online", "expected"),
    [
        (Phase.RUNNING, HASH, "Running", True, Standing.SUCCEEDED),
        (Phase.RUNNING, "ffffffffffffffff", "Running", True, Standing.PENDING),
        (Phase.RUNNING, None, "", True, Standing.SUCCEEDED),
        (Phase.PENDING, HASH, "Init:0/1", True, Standing.PENDING),
        (Phase.PENDING, HASH, "Init:CrashLoopBackOff", True, Standing.FAILED),
        (Phase.FAILED, HASH, "", True, Standing.FAILED),
        (Phase.FAILED, HASH, "", False, Standing.OFFLINE),
    ],
)
def test_what_a_device_counts_as(
    *, phase: Phase, spec_hash: str | None, reason: str, online: bool, expected: Standing
) -> None:
    report = Report.of(state("a", "web", spec_hash, phase=phase, reason=reason))
    assert judge(report, HASH, online=online) is expected


def test_a_device_that_said_nothing_is_pending() -> None:
    assert judge(None, HASH, online=True) is Standing.PENDING


def test_the_status_counts_each_device_once_and_tells_the_newest_error() -> None:
    fleet = fleet_of("a", "b", "c", "d")
    fleet.take_state(state("a", "web", HASH))
    failed = {"phase": Phase.FAILED}
    fleet.take_state(state("b", "web", HASH, error="exit 3", at_s=NOW_S, **failed))
    fleet.take_state(state("c", "web", HASH, error="exit 4", at_s=NOW_S + 1, **failed))
    found = status_of(fleet).aggregate
    assert (found.matched_device_count, found.succeeded, found.failed, found.pending) == (
        4,
        1,
        2,
        1,
    )
    assert found.last_error is not None
    assert (found.last_error.device_id, found.last_error.message) == ("c", "exit 4")


def test_an_older_state_changes_nothing() -> None:
    fleet = fleet_of("a")
    fleet.take_state(state("a", "web", HASH, at_s=NOW_S))
    fleet.changed.clear()
    fleet.take_state(state("a", "web", HASH, phase=Phase.FAILED, at_s=NOW_S - 1))
    assert status_of(fleet).aggregate.succeeded == 1
    assert not fleet.changed


def test_an_error_is_shown_as_text() -> None:
    fleet = fleet_of("a")
    hostile = state("a", "web", HASH, phase=Phase.FAILED, error="\x1b[2J\x1b]0;owned\x07gone")
    fleet.take_state(hostile)
    error = status_of(fleet).aggregate.last_error
    assert error is not None
    assert "\x1b" not in error.message
    assert "\x07" not in error.message


def test_a_failure_without_a_phase_counts_as_failed() -> None:
    failure = Failure(container="migrate", init=True, cause="Error", exit_code=3)
    pending = state("a", "web", HASH, phase=Phase.PENDING)
    report = pending.model_copy(update={"failure": failure})
    assert judge(Report.of(report), HASH, online=True) is Standing.FAILED


def test_silence_makes_offline_and_a_heartbeat_brings_back_what_was_known() -> None:
    fleet = fleet_of("a")
    fleet.take_state(state("a", "web", HASH))
    fleet.tick(NOW_S + 301)
    assert status_of(fleet).aggregate.offline == 1
    fleet.heard("a", NOW_S + 302, live=True)
    assert status_of(fleet).aggregate.succeeded == 1


def test_the_observed_generation_follows_what_was_written() -> None:
    fleet = fleet_of("a")
    assert status_of(fleet).observed_generation == 0
    fleet.settled()
    assert status_of(fleet).observed_generation == 1
    fleet.set_resource(deployment(generation=2))
    assert status_of(fleet).observed_generation == 1


def test_when_an_older_claim_on_a_name_goes_the_other_one_counts() -> None:
    fleet = fleet_of("a")
    fleet.set_resource(deployment(namespace="shop", created_s=NOW_S - 60))
    fleet.take_state(state("a", "web", HASH))
    assert status_of(fleet, ("shop", "web")).aggregate.succeeded == 1
    assert status_of(fleet).aggregate.pending == 1
    fleet.delete_resource(("shop", "web"))
    assert status_of(fleet).aggregate.succeeded == 1
    assert not fleet.may_go("nothing")


DEVICES = ["a", "b", "c"]
NAMES = ["web", "db"]
HASHES = [HASH, "ffffffffffffffff", None]
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("labels"), st.sampled_from(DEVICES), st.sampled_from(["berlin", "paris"])
        ),
        st.tuples(st.just("nolabels"), st.sampled_from(DEVICES)),
        st.tuples(st.just("heard"), st.sampled_from(DEVICES)),
        st.tuples(st.just("silent"), st.sampled_from(DEVICES)),
        st.tuples(st.just("tick"), st.integers(1, 400)),
        st.tuples(
            st.just("state"),
            st.sampled_from(DEVICES),
            st.sampled_from(NAMES),
            st.sampled_from(HASHES),
            st.sampled_from(list(Phase)),
            st.integers(-5, 5),
        ),
        st.tuples(st.just("nostate"), st.sampled_from(DEVICES), st.sampled_from(NAMES)),
        st.tuples(
            st.just("apply"),
            st.sampled_from(NAMES),
            st.sampled_from(["default", "shop"]),
            st.sampled_from([None, "berlin"]),
            st.integers(1, 3),
        ),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.sampled_from(["default", "shop"])),
    ),
    max_size=60,
)


def take(fleet: Fleet, now_s: float, what: str, words: list[Any]) -> None:
    """Let one thing happen to the fleet."""
    match what:
        case "labels":
            fleet.set_labels(words[0], {"site": words[1]})
        case "nolabels":
            fleet.drop_labels(words[0])
        case "heard":
            fleet.heard(words[0], now_s, live=True)
        case "silent":
            fleet.silence(words[0])
        case "state":
            device, name, spec_hash, phase, offset = words
            at_s = now_s + offset
            fleet.take_state(state(device, name, spec_hash, phase=phase, at_s=at_s, error="e"))
        case "nostate":
            fleet.drop_state(*words)
        case "apply":
            fleet.set_resource(applied(*words))
        case "delete":
            fleet.delete_resource((words[1], words[0]))


def applied(name: str, namespace: str, site: str | None, generation: int) -> Deployment:
    """Return a Deployment whose image is that of its generation."""
    return deployment(
        name,
        namespace=namespace,
        labels={"site": site} if site else {},
        generation=generation,
        image=f"registry.example/web:{generation}",
    )


@settings(deadline=None, max_examples=150)
@given(STEPS)
def test_whatever_happens_the_counts_are_those_of_a_full_recount(steps: list[Any]) -> None:
    fleet = Fleet(30)
    now_s = NOW_S
    fleet.tick(now_s)
    for what, *words in steps:
        if what == "tick":
            now_s += words[0]
            fleet.tick(now_s)
        else:
            take(fleet, now_s, what, words)
        for key in fleet.wants.by_key:
            assert status_of(fleet, key).aggregate == fleet.recounted(key)
