"""A device with a real podman that boots with no network: all comes up, and is told of later."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import decode
from fleet_core.contracts.commands import LogsReply
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.errors import DeviceOfflineError, RetryLaterError
from fleet_core.messaging import (
    ConnectionSettings,
    KvBucket,
    connect,
    ensure_buckets,
)
from tests.agent.podman_agent import PodmanAgent, booted, init, web
from tests.agent.wire import DEVICE, Operator
from tests.support.podman import IMAGE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_core.messaging import Connection
    from tests.support.nats_server import NatsServer
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


async def running_state(
    connection: Connection, after: DeploymentState | None = None
) -> DeploymentState:
    """Return what the fleet is told once it runs, and no older word than ``after``."""
    bucket = KvBucket(connection, "device-state")
    for _ in range(200):
        with contextlib.suppress(RetryLaterError):
            stored = await bucket.get(f"state.{DEVICE}.shop")
            state = None if stored is None else decode(DeploymentState, stored.value)
            newer = state and (after is None or state.last_event_at > after.last_event_at)
            if state is not None and newer and state.phase is Phase.RUNNING:
                return state
        await asyncio.sleep(0.1)
    raise AssertionError("the agent never told of it")


async def test_it_brings_everything_up_without_a_network_and_tells_of_it_later(
    podman: PodmanMachine, nats_server: NatsServer, tmp_path: Path
) -> None:
    device = PodmanAgent(podman, nats_server.url, tmp_path)
    once = init("once", run_policy="OncePerVersion")
    payload = device.score(web(), inits=(init("first"), once, init("second")))
    settings = ConnectionSettings((nats_server.url,), ping_interval_s=0.5)
    async with await connect(settings) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()
        async with booted(device, "boot-1"):
            entry = await operator.order("shop", payload)
            await operator.running("shop", entry, 20)
        told = await running_state(connection)
        podman.run("stop", "--all", "--time", "1")
        nats_server.stop()
        async with booted(device, "boot-2"):
            await device.has_told("web", "Starting", 2)
            nats_server.start()
            state = await running_state(connection, told)
            assert state.spec_hash == entry.spec_hash
            assert all(status.ready for status in state.init_container_statuses)
    run = ["first", "once", "second", "web", "first", "second", "web"]
    assert [name for name, word in device.told() if word == "Starting"] == run


async def test_with_its_state_lost_it_still_goes_by_the_labels(
    podman: PodmanMachine, nats_server: NatsServer, tmp_path: Path
) -> None:
    device = PodmanAgent(podman, nats_server.url, tmp_path)
    payload = device.score(web(), inits=(init("first"),))
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()
        async with booted(device, "boot-1"):
            entry = await operator.order("shop", payload)
            await operator.running("shop", entry, 20)
        before = device.container_id()
        for path in (tmp_path / "state").rglob("*.json"):
            path.write_bytes(path.read_bytes()[:40])
        operator.states.clear()
        async with booted(device, "boot-1"):
            await operator.running("shop", entry, 20)
        assert device.container_id() == before
        assert device.runs_of("first") == 1
        await eventually(lambda: any((tmp_path / "state").glob("*.damaged-*")))


async def test_what_a_run_said_is_still_told_by_the_agent_after_the_next(
    podman: PodmanMachine, nats_server: NatsServer, tmp_path: Path
) -> None:
    device = PodmanAgent(podman, nats_server.url, tmp_path)
    script = "cut -d' ' -f1 /proc/uptime; echo no route to db; exit 3"
    failing = {"name": "migrate", "image": IMAGE, "args": ["sh", "-c", script]}
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()

        async def said(*, previous: bool) -> list[str]:
            reply = await operator.command(
                "logs", deployment="shop", container="migrate", previous=previous
            )
            return decode(LogsReply, reply).lines

        async with booted(device, "boot-1"):
            await operator.order("shop", device.score(web(), inits=(failing,)))
            await eventually(lambda: failed_runs(operator) == 2, timeout_s=20)
            before = [await said(previous=previous) for previous in (True, False)]
            assert before[0] != before[1]
            assert [lines[-1] for lines in before] == ["no route to db"] * 2
        async with booted(device, "boot-1"):
            await answering(operator)
            assert [await said(previous=previous) for previous in (True, False)] == before


async def answering(operator: Operator) -> None:
    for _ in range(100):
        with contextlib.suppress(DeviceOfflineError):
            await operator.command("ping")
            return
        await asyncio.sleep(0.05)


def failed_runs(operator: Operator) -> int:
    state = operator.states.get("shop")
    if state is None or state.init_container_statuses[0].state.waiting is None:
        return 0
    return state.init_container_statuses[0].restart_count + 1
