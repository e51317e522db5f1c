"""What happens to a running fleet when NATS or the operator dies, or the store is lost."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import DESIRED_STATE, DEVICE_MANIFEST, desired_key, manifest_key
from fleet_core.deploy.nats_score import NATS, FleetNatsScore
from fleet_core.deploy.operator_score import OPERATOR, FleetOperatorScore
from fleet_core.deploy.score import interpret
from fleet_core.messaging import KvBucket
from tests.support.stack import eventually, manifest
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from tests.support.stack import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]


async def stored(stack: Stack, deployment: str) -> dict[str, bytes]:
    """The desired entries of a deployment, and the manifests of all devices, as bytes."""
    entries = KvBucket(stack.fleet.connection, DESIRED_STATE.name)
    manifests = KvBucket(stack.fleet.connection, DEVICE_MANIFEST.name)
    found = {}
    for device in stack.devices():
        for bucket, key in (
            (entries, desired_key(device, deployment)),
            (manifests, manifest_key(device)),
        ):
            entry = await bucket.get(key)
            if entry is not None:
                found[f"{bucket.name}/{key}"] = entry.value
    return found


async def test_an_operator_that_is_killed_is_replaced_and_writes_the_same(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("web"))
    await eventually(lambda: stack.running("web") == everyone)
    before, started = await stored(stack, "web"), await stack.started_at(everyone, "web")
    assert len(before) == 2 * len(everyone)

    pid = stack.topology.pid(OPERATOR)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stack.topology.pid(OPERATOR) != pid)
    await interpret(FleetOperatorScore(), stack.topology)

    assert await stored(stack, "web") == before
    assert await stack.started_at(everyone, "web") == started


async def test_what_was_applied_while_the_operator_was_away_is_done_when_it_is_back(
    stack: Stack,
) -> None:
    everyone = stack.devices()
    await stack.topology.ensure_stopped(OPERATOR)
    await stack.apply(manifest("late"))
    await stack.apply(manifest("never"))
    await stack.delete("never")

    await interpret(FleetOperatorScore(), stack.topology)

    await eventually(lambda: stack.running("late") == everyone)
    await eventually(lambda: stack.counts("late").get("succeeded") == len(everyone))
    assert not stack.telling("never")


async def test_kill_9_of_nats_stops_no_workload_and_everything_goes_on(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("web"))
    await eventually(lambda: stack.running("web") == everyone)
    started = await stack.started_at(everyone, "web")

    pid = stack.topology.pid(NATS)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stack.topology.pid(NATS) != pid)
    await interpret(FleetNatsScore(), stack.topology)
    await stack.fleet.connection.wait_connected(20)

    await stack.apply(manifest("after"))
    await eventually(lambda: stack.running("after") == everyone, timeout_s=30)
    assert await stack.started_at(everyone, "web") == started


async def test_an_empty_store_stops_no_workload(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("web"))
    await eventually(lambda: stack.running("web") == everyone)
    started = await stack.started_at(everyone, "web")

    await stack.topology.wipe(NATS)
    await interpret(FleetNatsScore(), stack.topology)

    # The devices report themselves and what they run again; what people applied is lost.
    await eventually(lambda: not stack.view.deployments, timeout_s=30)
    await interpret(FleetOperatorScore(), stack.topology)
    await eventually_reads(lambda: stack.started_at(everyone, "web"), started, timeout_s=30)
    await eventually(lambda: stack.devices() == everyone, timeout_s=30)
    logs = await stack.cli("logs", min(everyone), "web")
    assert logs.code == 0, logs.stderr

    # Applied again, it is found running, and nothing is started anew.
    await stack.apply(manifest("web"))
    await eventually(
        lambda: (
            stack.counts("web")
            == {"matched_device_count": len(everyone), "succeeded": len(everyone)}
        ),
        timeout_s=20,
    )
    assert await stack.started_at(everyone, "web") == started

    # A new order is obeyed, although the new store has never heard of the old generations.
    await stack.apply(manifest("web", version="2"))

    async def all_are_newer() -> bool:
        after = await stack.started_at(everyone, "web")
        return all((after[device] or started[device]) > started[device] for device in everyone)

    await eventually_reads(all_are_newer, expected=True, timeout_s=20)
