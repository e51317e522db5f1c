"""``fleet-agent check`` against a real server: let in or not, each right taken away in turn."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from fleet_agent.config_model import AgentConfig
from fleet_agent.device.checks.finding import Level, Subject
from fleet_agent.device.checks.nats import check_nats
from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import DEVICE_MANIFEST
from fleet_core.contracts.commands import PingReply, Verb
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.messaging import (
    CommandServer,
    Connection,
    ConnectionSettings,
    KvBucket,
    connect,
    ensure_buckets,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_agent.device.checks.finding import Finding
    from fleet_agent.device.machine import Machine
    from tests.support.nats_server import NatsServer

PUBLISH: Final = (
    "$KV.device-heartbeat.heartbeat.van-1",
    "$JS.API.DIRECT.GET.KV_device-manifest.$KV.device-manifest.van-1",
)
NOT_SEEN: Final = (
    "skip agent: who answers as this device is not seen: a device may not send commands, "
    "and rightly"
)
PASSWORD: Final = "hush-hush"
SUBSCRIBE: Final = (
    "device-commands.van-1.>",
    "$KV.device-manifest.van-1",
    "$KV.desired-state.van-1.>",
    "_INBOX_van-1.>",
)


@pytest.fixture
def nats_server(nats_server: NatsServer) -> NatsServer:
    nats_server.stop()
    return nats_server


def serve(
    server: NatsServer, publish: tuple[str, ...] = PUBLISH, subscribe: tuple[str, ...] = SUBSCRIBE
) -> None:
    """Start the server with a user for the device, who may do this and no more."""
    rights = {"publish": list(publish), "subscribe": list(subscribe), "allow_responses": True}
    users = [
        {"user": "boss", "password": "all"},
        {"user": "van-1", "password": "hush-hush", "permissions": rights},
    ]
    file = server.directory / "nats.conf"
    file.write_text(json.dumps({"authorization": {"users": users}}))
    server.arguments = ["--config", str(file)]
    server.start()


@asynccontextmanager
async def boss(server: NatsServer) -> AsyncIterator[Connection]:
    settings = ConnectionSettings((server.url,), user="boss", password="all")
    async with await connect(settings) as connection:
        await ensure_buckets(connection)
        yield connection


def subject_of(machine: Machine, *urls: str, password: str = PASSWORD) -> Subject:
    tree = {
        "agent": {"device_id": "van-1"},
        "nats": {"urls": list(urls)},
        "credentials": {"type": "toml-shared", "user": "van-1", "password": password},
    }
    return Subject(machine, AgentConfig.model_validate(tree))


def told(found: list[Finding]) -> list[str]:
    return [f"{each.level.value} {each.about}: {each.what}" for each in found]


def failed(found: list[Finding]) -> list[str]:
    return [each.what for each in found if each.level is Level.FAIL]


async def test_all_is_well_with_the_rights_of_the_design(
    machine: Machine, nats_server: NatsServer
) -> None:
    serve(nats_server)
    async with boss(nats_server) as connection:
        beats: list[bytes] = []
        await connection.subscribe("$KV.device-heartbeat.>", lambda each: beats.append(each.data))
        found = await check_nats(subject_of(machine, nats_server.url))
        assert told(found)[1:] == [
            "ok rights: may send its heartbeat (tried without sending one)",
            "ok rights: may read its manifest; nothing is meant for it yet",
            "ok rights: may listen for commands and for what it should run",
            NOT_SEEN,
        ]
        assert "let us in as van-1, in " in found[0].what
        assert await KvBucket(connection, "device-heartbeat").get("heartbeat.van-1") is None


async def test_its_manifest_is_told(machine: Machine, nats_server: NatsServer) -> None:
    serve(nats_server)
    async with boss(nats_server) as connection:
        manifest = encode(DeviceManifest(generation=7))
        await KvBucket(connection, DEVICE_MANIFEST.name).put("van-1", manifest)
        found = await check_nats(subject_of(machine, nats_server.url))
    assert "ok rights: may read its manifest: 0 deployments, generation 7" in told(found)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (PUBLISH[0], "may not send its heartbeat: "),
        (PUBLISH[1], "may not read its manifest: "),
        (SUBSCRIBE[0], "may not listen for commands: "),
        (SUBSCRIBE[1], "may not listen for changes of its manifest: "),
        (SUBSCRIBE[2], "may not listen for changes of what it should run: "),
    ],
)
async def test_each_right_that_is_missing_is_told_by_name(
    machine: Machine, nats_server: NatsServer, lost: str, said: str
) -> None:
    publish = tuple(each for each in PUBLISH if each != lost)
    serve(nats_server, publish, tuple(each for each in SUBSCRIBE if each != lost))
    async with boss(nats_server):
        found = await check_nats(subject_of(machine, nats_server.url))
    (what,) = failed(found)
    assert what.startswith(said)
    assert "permissions violation" in what.lower()
    assert lost.removesuffix(">").lower() in what.lower()


async def test_without_its_inbox_nothing_can_be_asked(
    machine: Machine, nats_server: NatsServer
) -> None:
    serve(nats_server, subscribe=SUBSCRIBE[:-1])
    async with boss(nats_server):
        found = await check_nats(subject_of(machine, nats_server.url))
    assert len(failed(found)) == 2
    assert all("_inbox_van-1" in what.lower() for what in failed(found))


async def test_a_wrong_password_is_told_and_not_shown(
    machine: Machine, nats_server: NatsServer
) -> None:
    serve(nats_server)
    async with asyncio.timeout(4):
        found = await check_nats(subject_of(machine, nats_server.url, password="sesame"))
    assert "Authorization Violation" in found[0].what or "authorization" in found[0].what.lower()
    assert found[0].remedy == "check [credentials], and that the server knows this device"
    assert [each.level for each in found[1:]] == [Level.SKIP, Level.SKIP]
    assert "sesame" not in repr(found)


async def test_one_server_of_several_is_enough(machine: Machine, nats_server: NatsServer) -> None:
    serve(nats_server)
    async with boss(nats_server):
        found = await check_nats(subject_of(machine, "nats://127.0.0.1:1", nats_server.url))
    assert [each.level for each in found[:2]] == [Level.WARN, Level.OK]
    assert failed(found) == []


async def test_without_buckets_the_operator_is_missing(
    machine: Machine, nats_server: NatsServer
) -> None:
    serve(nats_server)
    found = await check_nats(subject_of(machine, nats_server.url))
    assert [each.remedy for each in found[1:3]] == [
        "start the operator, which creates the buckets",
        "start the operator, which creates the buckets",
    ]


@pytest.mark.parametrize(
    ("agents", "level", "said"),
    [
        (0, Level.OK, "no agent answers as van-1"),
        (1, Level.OK, "one answers as van-1: version 1.2.3, up 2 h"),
        (2, Level.FAIL, "2 agents answer as van-1"),
    ],
)
async def test_who_answers_as_this_device(
    machine: Machine, nats_server: NatsServer, agents: int, level: Level, said: str
) -> None:
    serve(nats_server, (*PUBLISH, "device-commands.van-1.ping"))
    async with boss(nats_server) as connection, asyncio.TaskGroup() as group:
        running = [group.create_task(answering(connection)) for _ in range(agents)]
        await asyncio.sleep(0.1)  # subscriptions are not acknowledged
        found = await check_nats(subject_of(machine, nats_server.url))
        for task in running:
            task.cancel()
    assert found[-1].level is level
    assert found[-1].what.startswith(said)


async def answering(connection: Connection) -> None:
    server = CommandServer(connection, "van-1")
    reply = encode(PingReply(device_id="van-1", agent_version="1.2.3", uptime_s=7300))

    async def pong(_payload: bytes, _message: object) -> bytes:
        await asyncio.sleep(0)
        return reply

    server.handle(Verb.PING, pong)
    await server.run()
