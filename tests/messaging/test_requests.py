"""Requests find their reply, the absent are told at once, and thousands are asked together."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from fleet_core.errors import (
    CannotConnectError,
    DeviceOfflineError,
    DeviceTimeoutError,
    FleetError,
)
from fleet_core.messaging import Connection, Message, Reply
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.nats_server import NatsServer


async def answers(connection: Connection, subject: str) -> None:
    """Answer every request with the subject it came on."""
    replies: set[asyncio.Task[None]] = set()

    def reply(message: Message) -> None:
        task = asyncio.create_task(
            connection.publish(message.reply, message.subject.encode(), headers={"X": "1"})
        )
        replies.add(task)
        task.add_done_callback(replies.discard)

    await connection.subscribe(subject, reply)


async def test_a_request_gets_its_reply(connection: Connection) -> None:
    await answers(connection, "echo.*")
    replies = await asyncio.gather(
        *(connection.requests.request(f"echo.{number}", b"", 2) for number in range(50))
    )
    assert [reply.data for reply in replies] == [f"echo.{n}".encode() for n in range(50)]
    assert all(reply.headers["X"] == "1" and reply.rtt_ms > 0 for reply in replies)


async def test_an_absent_device_is_told_at_once(connection: Connection) -> None:
    started = time.monotonic()
    with pytest.raises(DeviceOfflineError):
        await connection.requests.request("device-commands.nobody.ping", b"", 5)
    assert time.monotonic() - started < 2


async def test_silence_ends_at_the_timeout(connection: Connection) -> None:
    await connection.subscribe("silent", lambda _message: None)
    with pytest.raises(DeviceTimeoutError, match=r"0\.1 s"):
        await connection.requests.request("silent", b"", 0.1)


async def test_a_lost_link_ends_the_wait(connection: Connection, nats_server: NatsServer) -> None:
    await connection.subscribe("silent", lambda _message: None)
    waiting = asyncio.create_task(connection.requests.request("silent", b"", 30))
    await eventually(lambda: connection.requests._waiting)
    nats_server.stop()
    with pytest.raises(CannotConnectError):
        await waiting


async def test_a_scatter_yields_every_key_once(connection: Connection) -> None:
    await answers(connection, "echo.*")
    await connection.subscribe("silent.*", lambda _message: None)
    requests = [(f"d-{n}", f"echo.{n}", b"") for n in range(500)]
    requests += [("absent", "nobody", b""), ("silent", "silent.1", b"")]
    results = {key: result async for key, result in scattered(connection, requests)}
    assert results.keys() == {key for key, _, _ in requests}
    assert isinstance(results["absent"], DeviceOfflineError)
    assert isinstance(results["silent"], DeviceTimeoutError)
    reply = results["d-77"]
    assert isinstance(reply, Reply)
    assert reply.data == b"echo.77"


def scattered(
    connection: Connection, requests: list[tuple[str, str, bytes]]
) -> AsyncGenerator[tuple[str, Reply | FleetError], None]:
    return connection.requests.scatter(requests, timeout_s=0.5)


async def test_a_scatter_of_nothing_ends(connection: Connection) -> None:
    assert [each async for each in connection.requests.scatter([], timeout_s=1)] == []


async def test_a_scatter_that_is_left_early_forgets_its_requests(connection: Connection) -> None:
    await answers(connection, "echo.*")
    results = scattered(connection, [(str(n), f"echo.{n}", b"") for n in range(100)])
    async for _ in results:
        break
    await results.aclose()
    assert not connection.requests._waiting
