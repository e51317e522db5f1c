"""The read model shows what the buckets hold, and nothing that they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.states import Failure, Phase
from fleet_core.view import Health
from tests.contracts.strategies import deployments, statuses
from tests.view.fleets import BUCKETS, HASH, NOW_S, FedView

KEYED = ("device-info", "device-heartbeat", "device-manifest", "device-state")
EXIT_3 = Failure(
    container="migrate", init=True, cause="Error", exit_code=3, log="first\n\x1b[31mno host"
)


def failing(fed: FedView, device_id: str, name: str = "web") -> None:
    fed.state(
        device_id,
        name,
        phase=Phase.PENDING,
        reason="Init:CrashLoopBackOff",
        restarts=3,
        failure=EXIT_3,
    )


def test_a_device_in_one_line() -> None:
    fed = FedView()
    fed.info("van-1", site="berlin", ring="2")
    fed.manifest("van-1", "web", "cache", "metrics")
    fed.state("van-1", "web")
    failing(fed, "van-1", "cache")
    devices, slot = fed.view.devices, fed.slot("van-1")
    assert devices.labels[slot] == {"ring": "2", "site": "berlin"}
    assert devices.versions[slot] == "1.3.2"
    assert (devices.ok[slot], devices.total[slot]) == (1, 3)
    assert devices.reasons[slot] == "cache Init:CrashLoopBackOff (3)"
    assert devices.restarts[slot] == 3


def test_a_state_of_another_spec_is_not_there_yet() -> None:
    fed = FedView()
    fed.manifest("van-1", "web")
    fed.state("van-1", "web", spec_hash="f" * 16)
    slot = fed.slot("van-1")
    assert fed.view.devices.ok[slot] == 0
    assert fed.view.devices.reasons[slot] == "web Pending"


def test_an_older_state_is_dropped() -> None:
    fed = FedView()
    failing(fed, "van-1")
    fed.state("van-1", "web", at_s=NOW_S - 60)
    assert fed.view.failing
    fed.state("van-1", "web", at_s=NOW_S + 60)
    assert not fed.view.failing


def test_equal_labels_are_kept_once() -> None:
    fed = FedView()
    for number in range(10):
        fed.info(f"van-{number}", site="berlin")
    assert len({id(labels) for labels in fed.view.devices.labels}) == 1


def test_a_device_leaves_when_nothing_is_known_of_it() -> None:
    fed = FedView()
    fed.info("van-1", site="berlin")
    fed.beat("van-1")
    failing(fed, "van-1")
    fed.drop("device-info", "info.van-1")
    fed.drop("device-heartbeat", "heartbeat.van-1")
    assert len(fed.view.devices) == 1
    fed.drop("device-state", "state.van-1.web")
    assert len(fed.view.devices) == 0
    assert not fed.view.failing
    assert sum(fed.view.health_counts.values()) == 0
    fed.info("van-2")
    assert fed.view.devices.ids == ["van-2"], "the slot is used again"


def test_failures_are_grouped_by_what_failed() -> None:
    fed = FedView()
    for number in range(3):
        fed.info(f"van-{number}", site="paris" if number else "berlin")
        failing(fed, f"van-{number}")
    fed.state("van-9", "api", phase=Phase.FAILED, reason="Error")
    first, second = fed.view.failures()
    assert (first.deployment, first.container, first.init, first.how) == (
        "web",
        "migrate",
        True,
        "exited 3",
    )
    assert [device.device_id for device in first.devices] == ["van-0", "van-1", "van-2"]
    assert first.devices[0].log == ("first", "\N{REPLACEMENT CHARACTER}[31mno host")
    assert first.spread == (("paris", 2), ("berlin", 1))
    assert (second.deployment, second.how, len(second.devices)) == ("api", "Error", 1)


@pytest.mark.parametrize(
    ("bucket", "key", "value"),
    [
        ("device-info", "info.van-1", b'{"device_id":"van-2","agent_version":"1"}'),
        (
            "device-info",
            "info.van-1",
            b'{"device_id":"van-1","agent_version":"1","labels":{"a":"\\u001b[2J"}}',
        ),
        ("device-info", "van-1", b'{"device_id":"van-1","agent_version":"1"}'),
        ("device-heartbeat", "heartbeat.van-1", b'{"device_id":"van-2"}'),
        ("device-heartbeat", "heartbeat.a.b", b'{"device_id":"a.b"}'),
        ("device-state", "state.van-1.web", b"\xff" * 1000),
        ("device-state", "state.van-1.web", b"[" * 60_000),
        ("device-manifest", "van-1", b'{"generation":"1"}'),
        ("deployments", "shop.web", b"{}"),
        ("deployment-status", "shop.web", b"[]"),
    ],
)
def test_what_breaks_the_contract_is_counted_and_changes_nothing(
    bucket: str, key: str, value: bytes
) -> None:
    fed = FedView()
    fed.info("van-2", site="berlin")
    before = (list(fed.view.devices.ids), list(fed.view.devices.texts))
    fed.put(bucket, key, value)
    assert (list(fed.view.devices.ids), list(fed.view.devices.texts)) == before
    assert fed.view.counters.rejected == 1
    assert fed.view.counters.by_bucket == {bucket: 1}
    assert fed.view.counters.recent[0].isprintable()


@given(deployments, statuses)
def test_deployments_and_statuses_are_joined_whichever_comes_first(
    resource: object, status: object
) -> None:
    from fleet_core.contracts.base import encode  # noqa: PLC0415 - the strategies need no encoder

    one, other = FedView(), FedView()
    key = ".".join(resource.key)  # type: ignore[attr-defined]  # hypothesis' strategies are untyped here
    for fed, order in ((one, (0, 1)), (other, (1, 0))):
        puts = [("deployments", encode(resource)), ("deployment-status", encode(status))]  # type: ignore[arg-type]  # as above
        for index in order:
            fed.put(puts[index][0], key, puts[index][1])
    assert one.view.deployments == other.view.deployments
    assert one.view.statuses == other.view.statuses
    assert len(one.view.deployments) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["info", "beat", "state", "fail", "manifest", "drop"]),
            st.integers(0, 4),
            st.integers(0, 400),
        ),
        max_size=40,
    )
)
def test_counts_agree_with_a_recount(steps: list[tuple[str, int, int]]) -> None:
    fed = FedView()
    fed.synced()
    for what, number, later_s in steps:
        name = f"van-{number}"
        at_s = NOW_S + later_s
        match what:
            case "info":
                fed.info(name, site="berlin")
            case "beat":
                fed.beat(name, at_s)
            case "state":
                fed.state(name, "web", at_s=at_s)
            case "fail":
                fed.state(name, "web", phase=Phase.FAILED, reason="Error", at_s=at_s)
            case "manifest":
                fed.manifest(name, "web")
            case _:
                for bucket, prefix in (
                    ("device-info", "info."),
                    ("device-heartbeat", "heartbeat."),
                    ("device-manifest", ""),
                ):
                    fed.drop(bucket, f"{prefix}{name}")
                fed.drop("device-state", f"state.{name}.web")
        fed.view.tick(at_s)
        devices = fed.view.devices
        slots = devices.slot_of.values()
        for each in Health:
            assert fed.view.health_counts[each] == sum(
                devices.health[slot] == each for slot in slots
            )
        assert set(fed.view.failing) == {
            (slot, label)
            for slot in slots
            for label, state in devices.states[slot].items()
            if state.failing
        }


def test_the_world_has_six_buckets() -> None:
    fed = FedView()
    assert not fed.view.synced
    fed.synced()
    assert fed.view.synced
    assert set(fed.handlers) == set(BUCKETS)
    assert len(HASH) == 16


def test_it_knows_the_keys_that_it_has_values_of() -> None:
    fed = FedView()
    assert not any(list(fed.view.handler(bucket).known_keys()) for bucket in KEYED)
    fed.info("van-1", site="berlin")
    fed.beat("van-1")
    fed.manifest("van-1", "web")
    fed.state("van-1", "web")
    expected = {
        "device-info": "info.van-1",
        "device-heartbeat": "heartbeat.van-1",
        "device-manifest": "van-1",
        "device-state": "state.van-1.web",
    }
    for bucket, key in expected.items():
        handler = fed.view.handler(bucket)
        assert list(handler.known_keys()) == [key]
        assert handler.knows(key)
        assert not handler.knows(f"{key}x")
        handler.on_delete(key, 9)
        assert list(handler.known_keys()) == []
        assert not handler.knows(key)
    assert len(fed.view.devices) == 0
