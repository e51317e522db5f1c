"""The agent on a real server: what it tells, what it obeys, what it survives, what it answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from fleet_agent.agent import Agent, DeviceIdentity, Link
from fleet_agent.runtime.behaviour import Behaviour, ImageScript
from fleet_agent.runtime.contract import ContainerKey, RunState
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import (
    HEADER_END,
    HEADER_SEQUENCE,
    LogsReply,
    PingReply,
    RedeployReply,
    Verb,
    command_subject,
)
from fleet_core.contracts.devices import (
    DeviceInfo,
    Inventory,
    ManifestEntry,
    is_heartbeat_of,
)
from fleet_core.contracts.scores import Score
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.errors import DeviceOfflineError, DeviceTimeoutError, RetryLaterError
from fleet_core.messaging import (
    ConnectionSettings,
    KvBucket,
    LatestWriter,
    connect,
    ensure_buckets,
)
from tests.agent.wire import DEVICE, Operator
from tests.support.waiting import eventually, eventually_reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_core.messaging import Message
    from tests.support.nats_server import NatsServer

WEB: Final = "registry.example/web:1"
MIGRATE: Final = "registry.example/migrate:1"
SCRIPT: Final = ImageScript(
    containers={
        WEB: Behaviour(log=("listening", "ready"), chatter=("GET /",), chatter_every_s=0.2),
        MIGRATE: Behaviour(run_s=0.05, last_words=("schema is at 43",)),
    }
)


class Device:
    """A simulated device, whose agent a test starts and ends."""

    def __init__(self, server: NatsServer, script: ImageScript = SCRIPT) -> None:
        self.runtime = SimulatedRuntime(script)
        self._settings = ConnectionSettings((server.url,), ping_interval_s=0.5)
        self.agent: Agent | None = None

    @asynccontextmanager
    async def agent_runs(self, *, runtime: bool = True) -> AsyncIterator[Agent]:
        identity = DeviceIdentity(DEVICE, {"site": "lyon"}, "1.2.3", "boot-1", Inventory(cpus=4))
        async with await connect(self._settings, wait=False) as connection:
            writer = LatestWriter(connection)
            agent = Agent(identity, Link(connection, writer), self.runtime if runtime else None)
            tasks = [asyncio.create_task(writer.run()), asyncio.create_task(agent.run())]
            try:
                yield agent
                for task in tasks:
                    assert not task.done(), "the agent ended by itself"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def service(self, deployment: str = "shop") -> Any:
        return await self.runtime.container_status(ContainerKey(deployment, "web"))


@pytest.fixture
def device(nats_server: NatsServer) -> Device:
    return Device(nats_server)


def shop(version: str = "1", **changes: Any) -> bytes:
    data = {
        "init_containers": [{"name": "migrate", "image": MIGRATE}],
        "services": [{"name": "web", "image": WEB, "env": {"VERSION": version}}],
        **changes,
    }
    return encode(decode(Score, json.dumps({"type": "PodmanV0", "data": data}).encode()))


async def test_it_tells_who_it_is_and_that_it_lives(operator: Operator, device: Device) -> None:
    async with device.agent_runs():
        await eventually(lambda: operator.heartbeats)
        assert len(operator.heartbeats[0]) < 96
        assert is_heartbeat_of(operator.heartbeats[0], DEVICE)
        bucket = KvBucket(operator.connection, "device-info")

        async def is_stored() -> bool:
            return await bucket.get(f"info.{DEVICE}") is not None

        await eventually_reads(is_stored, expected=True)
        stored = await bucket.get(f"info.{DEVICE}")
        assert stored is not None
        info = decode(DeviceInfo, stored.value)
        assert (info.device_id, info.labels) == (DEVICE, {"site": "lyon"})
        assert (info.agent_version, info.boot_id, info.inventory.cpus) == ("1.2.3", "boot-1", 4)


async def test_it_runs_what_the_manifest_names_and_removes_what_it_no_longer_does(
    operator: Operator, device: Device
) -> None:
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
        first = await device.service()
        await operator.running("shop", await operator.order("shop", shop("2")))
        second = await device.service()
        assert second.container_id != first.container_id
        await operator.running("metrics", await operator.order("metrics", shop("3")))
        del operator.deployments["shop"]
        operator.generation += 1
        await operator.tell()
        await eventually(lambda: operator.deleted == ["shop"])
        assert await device.service() is None
        assert (await device.service("metrics")).state is RunState.RUNNING


async def test_an_older_manifest_and_an_absent_one_change_nothing(
    operator: Operator, device: Device
) -> None:
    async with device.agent_runs():
        operator.generation = 10
        await operator.running("shop", await operator.order("shop", shop()))
        before = await device.service()
        operator.deployments = {}
        await operator.tell(generation=3)
        await KvBucket(operator.connection, "device-manifest").delete(DEVICE)
        # A later order is obeyed, so those before it have been seen.
        operator.generation = 11
        operator.deployments = {"shop": ManifestEntry(generation=10, spec_hash=before.spec_hash)}
        await operator.running("metrics", await operator.order("metrics", shop("2")))
        assert (await device.service()).container_id == before.container_id


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"generation": 99, "deployments": {"a.b": {"generation": 1, "spec_hash": "0"}}}',
        b'{"generation": "99"}',
        b'{"generation": 99, "deployments": {"x": 1}}',
        b'{"generation": 99, "heartbeat_interval_s": 0}\0',
        b" " * 250_000,
    ],
    ids=["not-utf8", "deep", "dotted", "text", "types", "nul", "large"],
)
async def test_a_malformed_manifest_is_counted_and_what_runs_goes_on(
    operator: Operator, device: Device, payload: bytes
) -> None:
    async with device.agent_runs() as agent:
        await operator.running("shop", await operator.order("shop", shop()))
        before = await device.service()
        await operator.manifest(payload)
        await eventually(lambda: agent._reader.refused >= 1)
        assert (await device.service()).container_id == before.container_id
        operator.generation += 100
        await operator.running("metrics", await operator.order("metrics", shop("2")))


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"\xff\xfe", "JSON"),
        (b'{"type": "PodmanV7", "data": {}}', "type"),
        (b'{"type": "PodmanV0", "data": {"services": [{"name": "web"}]}}', "services[0].image"),
        (shop().replace(b'"timeout":300', b'"timeout":-1'), "init_containers[0].timeout"),
        (shop().replace(b'"name":"migrate"', b'"name":"web"'), "web"),
    ],
    ids=["not-utf8", "unknown-version", "missing", "negative", "twice"],
)
async def test_a_malformed_score_is_told_with_its_path_and_the_old_one_keeps_running(
    operator: Operator, device: Device, payload: bytes, path: str
) -> None:
    async with device.agent_runs() as agent:
        await operator.running("shop", await operator.order("shop", shop()))
        before = await device.service()
        entry = await operator.order("shop", payload)
        await eventually(lambda: operator.states["shop"].reason == "InvalidSpec")
        state = operator.states["shop"]
        assert (state.phase, state.generation) == (Phase.FAILED, entry.generation)
        assert path in (state.last_error or "")
        assert agent.reconciler is not None
        assert agent.reconciler.refused == 1
        assert (await device.service()).container_id == before.container_id
        await operator.running("shop", await operator.order("shop", shop("2")))


@pytest.mark.timeout(20)
async def test_states_of_an_outage_arrive_after_it(
    nats_server: NatsServer, operator: Operator, device: Device
) -> None:
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
        nats_server.stop()
        await eventually(lambda: not operator.connection.is_connected)
        device.runtime.kill(ContainerKey("shop", "web"))
        nats_server.start()
        bucket = KvBucket(operator.connection, "device-state")

        async def restarts() -> int:
            try:
                stored = await bucket.get(f"state.{DEVICE}.shop")
            except RetryLaterError:
                return -1
            return 0 if stored is None else decode(DeploymentState, stored.value).restart_count

        await eventually_reads(restarts, 1, timeout_s=12)
        assert (await device.service()).state is RunState.RUNNING


@pytest.mark.timeout(20)
async def test_a_wiped_store_stops_nothing_and_is_told_everything_again(
    nats_server: NatsServer, operator: Operator, device: Device
) -> None:
    async with device.agent_runs():
        entry = await operator.order("shop", shop())
        await operator.running("shop", entry)
        before = await device.service()
        reconnects = operator.connection.status.reconnects
        nats_server.restart(wipe=True)
        await eventually(
            lambda: (
                operator.connection.is_connected
                and operator.connection.status.reconnects > reconnects
            ),
            timeout_s=8,
        )
        operator.states.clear()
        await ensure_buckets(operator.connection)
        await operator.running("shop", entry, timeout_s=10)
        info = await KvBucket(operator.connection, "device-info").get(f"info.{DEVICE}")
        assert info is not None
        assert (await device.service()).container_id == before.container_id


async def test_a_server_that_comes_later_is_waited_for(
    nats_server: NatsServer, device: Device
) -> None:
    nats_server.stop()
    async with device.agent_runs() as agent:
        nats_server.start()
        await eventually(lambda: agent.heartbeat.sent, timeout_s=8)


async def test_a_restarted_agent_takes_over_what_runs(operator: Operator, device: Device) -> None:
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
    before = await device.service()
    assert before.state is RunState.RUNNING
    operator.states.clear()
    async with device.agent_runs():
        await operator.running("shop", operator.deployments["shop"])
        assert (await device.service()).container_id == before.container_id


async def test_it_answers_ping_logs_and_redeploy(operator: Operator, device: Device) -> None:
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
        ping = decode(PingReply, await operator.command(Verb.PING))
        assert (ping.device_id, ping.agent_version) == (DEVICE, "1.2.3")
        logs = decode(LogsReply, await operator.command(Verb.LOGS, deployment="shop", tail=500))
        assert logs.lines[:2] == ["listening", "ready"]
        inits = await operator.command(Verb.LOGS, deployment="shop", container="migrate")
        assert decode(LogsReply, inits).lines == ["schema is at 43"]
        before = await device.service()
        body = {"deployment": "shop", "request_id": "once-1234"}
        first = decode(RedeployReply, await operator.command(Verb.REDEPLOY, **body))
        again = decode(RedeployReply, await operator.command(Verb.REDEPLOY, **body))
        assert first == again
        assert first.generation == operator.deployments["shop"].generation

        def runs_anew() -> bool:
            told = operator.states["shop"].container_statuses[0].state.running
            return told is not None and told != before_running

        before_running = operator.states["shop"].container_statuses[0].state.running
        await eventually(runs_anew)
        assert (await device.service()).container_id != before.container_id


@pytest.mark.parametrize(
    ("verb", "body", "kind"),
    [
        ("logs", {"deployment": "nothing"}, "not-found"),
        ("logs", {"deployment": "shop", "container": "nothing"}, "not-found"),
        ("logs", {"deployment": "shop", "tail": -1}, "invalid"),
        ("logs", {"deployment": "shop", "previous": True}, "not-found"),
        ("redeploy", {"deployment": "shop"}, "invalid"),
        ("redeploy", {"deployment": "nothing", "request_id": "once-1234"}, "not-found"),
        ("exec", {"argv": ["id"], "request_id": "once-1234"}, "refused"),
        ("format-disk", {}, "refused"),
    ],
)
async def test_what_it_does_not_do_is_told_by_kind(
    operator: Operator, device: Device, verb: str, body: dict[str, Any], kind: str
) -> None:
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
        reply = json.loads(await operator.command(verb, **body))
        assert reply["error"]["kind"] == kind
        assert reply["error"]["message"]


async def test_followed_logs_come_in_numbered_chunks_and_stay_when_renewed(
    operator: Operator, device: Device
) -> None:
    chunks: list[Message] = []
    inbox = operator.connection.new_inbox()
    await operator.connection.subscribe(inbox, chunks.append)
    request = {"deployment": "shop", "follow": True, "tail": 1, "request_id": "follow-12"}
    subject, payload = command_subject(DEVICE, Verb.LOGS), json.dumps(request).encode()
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))
        await operator.connection.publish(subject, payload, reply=inbox)
        await eventually(lambda: len(chunks) >= 2)
        await operator.connection.publish(subject, payload, reply=inbox)
        await eventually(lambda: len(chunks) >= 4)
        numbers = [int((chunk.headers or {})[HEADER_SEQUENCE]) for chunk in chunks]
        assert numbers == list(range(len(chunks)))
        lines = [line for chunk in chunks for line in decode(LogsReply, chunk.data).lines]
        assert "GET /" in lines
        assert not any(HEADER_END in (chunk.headers or {}) for chunk in chunks)


async def test_without_a_runtime_it_beats_and_answers_and_runs_nothing(
    operator: Operator, device: Device
) -> None:
    async with device.agent_runs(runtime=False) as agent:
        await operator.order("shop", shop())
        await eventually(lambda: operator.heartbeats)
        assert decode(PingReply, await operator.command(Verb.PING)).device_id == DEVICE
        reply = json.loads(await operator.command(Verb.LOGS, deployment="shop"))
        assert reply["error"]["kind"] == "refused"
        assert agent.reconciler is None
        assert await device.service() is None


async def test_an_agent_that_ended_is_offline_at_once(operator: Operator, device: Device) -> None:
    async with device.agent_runs():
        await eventually(lambda: operator.heartbeats)
        await operator.command(Verb.PING)

    async def offline() -> bool:
        # The server may hear of the end only after the first ping.
        try:
            await operator.connection.requests.request(command_subject(DEVICE, Verb.PING), b"", 0.2)
        except DeviceTimeoutError:
            return False
        except DeviceOfflineError:
            return True
        return False

    await eventually_reads(offline, expected=True)
