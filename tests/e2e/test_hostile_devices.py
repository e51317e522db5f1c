"""A device whose credentials are stolen says what it likes: it changes nothing but its own row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import (
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_STATE,
    heartbeat_key,
    info_key,
    state_key,
)
from fleet_core.deploy.operator_score import OPERATOR
from fleet_core.errors import FleetError
from fleet_core.messaging import KvBucket
from tests.support.stack import eventually, manifest

if TYPE_CHECKING:
    from tests.support.stack import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]

EVIL = "evil-001"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\N{RIGHT-TO-LEFT OVERRIDE}[bold red]"
INFO = {"device_id": EVIL, "labels": {"site": "paris"}, "agent_version": "1.3.2"}


async def put(stack: Stack, bucket: str, key: str, payload: bytes) -> None:
    """Write as a device does; what the server itself refuses has done its harm already: none."""
    try:
        await KvBucket(stack.fleet.connection, bucket).put(key, payload)
    except FleetError:
        return


def picture(stack: Stack, without: str) -> dict[str, tuple[object, ...]]:
    """What the read model shows of every device but one."""
    columns = stack.view.devices
    return {
        device: (
            dict(columns.labels[slot]),
            columns.versions[slot],
            {name: (row.phase, row.reason) for name, row in columns.states[slot].items()},
        )
        for device, slot in columns.slot_of.items()
        if device != without
    }


def hostile_payloads(victim: str) -> list[tuple[str, str, bytes]]:
    """Bucket, key and payload of everything that is tried."""
    info, state = DEVICE_INFO.name, DEVICE_STATE.name
    own_info, own_state = info_key(EVIL), state_key(EVIL, "web")
    said = {
        "device_id": EVIL,
        "deployment": "web",
        "phase": "Failed",
        "last_event_at": "2999-01-01T00:00:00Z",
    }
    return [
        (info, own_info, b"\xff\xfe"),
        (info, own_info, b"[" * 20_000),
        (info, own_info, json.dumps({**INFO, "device_id": victim}).encode()),
        (info, own_info, json.dumps({**INFO, "labels": {"site": ESCAPES}}).encode()),
        (
            info,
            own_info,
            json.dumps({**INFO, "labels": dict.fromkeys(map(str, range(999)))}).encode(),
        ),
        (info, "info.a.b", json.dumps(INFO).encode()),
        (info, "info.EVIL", json.dumps(INFO).encode()),
        (state, own_state, json.dumps({**said, "device_id": victim}).encode()),
        (state, own_state, json.dumps({**said, "deployment": "other"}).encode()),
        (state, own_state, json.dumps({**said, "last_error": "x" * 1_000_000}).encode()),
        (state, own_state, json.dumps({**said, "last_error": "x" * 60_000}).encode()),
        (state, own_state, json.dumps({**said, "phase": ["Failed"]}).encode()),
        (state, f"state.{EVIL}", json.dumps(said).encode()),
        (DEVICE_HEARTBEAT.name, heartbeat_key(EVIL), json.dumps({"device_id": victim}).encode()),
        (DEVICE_HEARTBEAT.name, heartbeat_key(EVIL), b"x" * 200),
    ]


async def test_nothing_changes_but_its_own_row(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("web"))
    await eventually(lambda: stack.counts("web").get("succeeded") == len(everyone))
    before, operator = picture(stack, EVIL), stack.topology.pid(OPERATOR)
    started = await stack.started_at(everyone, "web")
    rejected = stack.view.counters.rejected

    for bucket, key, payload in hostile_payloads(min(everyone)):
        await put(stack, bucket, key, payload)

    await eventually(lambda: stack.view.counters.rejected >= rejected + 10)
    assert picture(stack, EVIL) == before
    assert stack.counts("web") == {"matched_device_count": 30, "succeeded": 30}
    # Everything goes on: the operator is the same process, and still acts.
    await stack.apply(manifest("next"))
    await eventually(lambda: stack.running("next") == everyone)
    assert stack.topology.pid(OPERATOR) == operator
    assert await stack.started_at(everyone, "web") == started


async def test_what_it_may_say_is_shown_as_text(stack: Stack) -> None:
    said = {
        "device_id": EVIL,
        "deployment": "web",
        "phase": "Failed",
        "reason": f"Init:Error{ESCAPES}",
        "last_event_at": "2026-01-01T00:00:00Z",
        "last_error": ESCAPES,
        "failure": {"container": "web", "cause": ESCAPES, "exit_code": 3, "log": ESCAPES},
    }
    await put(stack, DEVICE_INFO.name, info_key(EVIL), json.dumps(INFO).encode())
    await put(stack, DEVICE_STATE.name, state_key(EVIL, "web"), json.dumps(said).encode())
    await eventually(lambda: EVIL in stack.devices() and EVIL in stack.telling("web"))

    for words in (
        ("get", "devices", "-o", "wide"),
        ("get", "failures"),
        ("get", "failures", "-o", "yaml"),
        ("describe", "device", EVIL),
        ("describe", "deployment", "web"),
    ):
        shown = await stack.cli(*words)
        assert shown.code == 0, shown.stderr
        for harmful in ("\x1b", "\x07", "\N{RIGHT-TO-LEFT OVERRIDE}"):
            assert harmful not in shown.stdout


async def test_it_cannot_empty_a_bucket_with_a_rollup(stack: Stack) -> None:
    bucket = KvBucket(stack.fleet.connection, DEVICE_INFO.name)
    with pytest.raises(FleetError):
        await bucket.put(info_key(EVIL), json.dumps(INFO).encode(), {"Nats-Rollup": "all"})
    assert len(stack.devices()) >= 30
