"""A device answers its commands: each verb on its own, mutating ones once, forgeries not at all."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from fleet_core.errors import DeviceTimeoutError, RefusedError
from fleet_core.messaging import CommandServer, Connection, Message
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Device:
    """A command server and what it was asked."""

    def __init__(self, connection: Connection) -> None:
        self.server = CommandServer(connection, "van-1")
        self.redeploys = 0
        self.slow = asyncio.Event()
        self.server.handle("ping", self._ping)
        self.server.handle("logs", self._logs)
        self.server.handle("redeploy", self._redeploy)
        self.server.handle("bug", self._bug)

    async def _ping(self, _payload: bytes, _message: Message) -> bytes:
        return b"pong"

    async def _logs(self, _payload: bytes, _message: Message) -> bytes:
        await self.slow.wait()
        return b"late"

    async def _redeploy(self, payload: bytes, _message: Message) -> bytes:
        if b"forbidden" in payload:
            raise RefusedError("not here", remedy="ask")
        self.redeploys += 1
        return b"%d" % self.redeploys

    async def _bug(self, _payload: bytes, _message: Message) -> bytes:
        raise ValueError("a handler's bug")


@pytest.fixture
async def device(connection: Connection) -> AsyncIterator[Device]:
    device = Device(connection)
    running = asyncio.create_task(device.server.run())
    await eventually(lambda: connection._subscriptions)
    yield device
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def ask(connection: Connection, verb: str, payload: bytes = b"") -> bytes:
    subject = f"device-commands.van-1.{verb}"
    return (await connection.requests.request(subject, payload, 2)).data


@pytest.mark.usefixtures("device")
async def test_an_empty_body_is_a_ping(connection: Connection) -> None:
    assert await ask(connection, "ping") == b"pong"


async def test_a_slow_verb_does_not_delay_a_ping(connection: Connection, device: Device) -> None:
    late = asyncio.create_task(ask(connection, "logs"))
    assert await ask(connection, "ping") == b"pong"
    assert not late.done()
    device.slow.set()
    assert await late == b"late"


async def test_a_mutating_command_is_done_once(connection: Connection, device: Device) -> None:
    order = json.dumps({"request_id": "request-1", "deployment": "web"}).encode()
    assert await ask(connection, "redeploy", order) == b"1"
    assert await ask(connection, "redeploy", order) == b"1"
    assert device.redeploys == 1
    assert await ask(connection, "redeploy", order.replace(b"-1", b"-2")) == b"2"


@pytest.mark.usefixtures("device")
async def test_an_error_is_replied_in_the_trees_words(connection: Connection) -> None:
    reply = json.loads(await ask(connection, "redeploy", b"forbidden"))
    assert reply == {"error": {"kind": "refused", "message": "not here (ask)"}}


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(
    ("verb", "kind"), [("bug", "broken"), ("exec", "refused"), ("x", "refused")]
)
async def test_what_cannot_be_done_is_answered(
    connection: Connection, verb: str, kind: str
) -> None:
    assert json.loads(await ask(connection, verb))["error"]["kind"] == kind
    assert await ask(connection, "ping") == b"pong"


async def test_stored_bytes_delivered_as_a_command_are_refused(
    connection: Connection, device: Device
) -> None:
    forged = {"Nats-Stream": "KV_device-info", "Nats-Subject": "$KV.device-info.info.van-2"}
    with pytest.raises(DeviceTimeoutError):
        await connection.requests.request("device-commands.van-1.ping", b"", 0.2, headers=forged)
    assert device.server.refused == 1


async def test_a_flood_of_one_verb_is_bounded(connection: Connection, device: Device) -> None:
    floods = [asyncio.create_task(ask(connection, "logs")) for _ in range(100)]
    await eventually(lambda: device.server.refused)
    assert await ask(connection, "ping") == b"pong"
    device.slow.set()
    answered = await asyncio.gather(*floods, return_exceptions=True)
    assert 64 <= answered.count(b"late") < 100
