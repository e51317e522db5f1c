"""The link comes back by itself, subscriptions with it, and closing leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from fleet_core.errors import CannotConnectError, InvalidInputError
from fleet_core.messaging import Connection, ConnectionSettings, LinkState, Message, connect
from fleet_core.messaging.fast_link import FastLink
from tests.messaging.conftest import settings_of
from tests.support.nats_server import NatsServer
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path


async def receives(connection: Connection, subject: str, received: list[bytes]) -> None:
    """Publish until the subscription hears it: the server may not know of it at once."""
    deadline = asyncio.get_running_loop().time() + 5
    while not received and asyncio.get_running_loop().time() < deadline:
        await connection.publish(subject, b"hello")
        await asyncio.sleep(0.01)
    assert received


async def test_a_server_that_is_not_there_is_told_with_a_remedy(tmp_path: Path) -> None:
    absent = NatsServer(tmp_path)
    settings = ConnectionSettings((absent.url,), connect_timeout_s=0.3)
    with pytest.raises(CannotConnectError) as refusal:
        await connect(settings)
    assert absent.url in refusal.value.message
    assert refusal.value.remedy


async def test_an_agent_may_start_before_its_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    async with await connect(settings_of(server), wait=False) as connection:
        assert connection.status.state is LinkState.CONNECTING
        with pytest.raises(CannotConnectError):
            await connection.publish("a", b"")
        server.start()
        try:
            await connection.wait_connected(8)
        finally:
            server.stop()


async def test_subscriptions_survive_a_restarted_server(
    connection: Connection, nats_server: NatsServer
) -> None:
    received: list[bytes] = []
    await connection.subscribe("greetings", lambda message: received.append(message.data))
    await receives(connection, "greetings", received)
    nats_server.restart()
    await eventually(lambda: connection.status.reconnects and connection.is_connected)
    received.clear()
    await receives(connection, "greetings", received)


@pytest.mark.timeout(20)
async def test_a_half_open_peer_is_noticed_and_left(
    connection: Connection, nats_server: NatsServer
) -> None:
    nats_server.freeze()
    await eventually(lambda: not connection.is_connected, timeout_s=8)
    nats_server.thaw()
    await connection.wait_connected(8)


async def test_a_dead_read_loop_is_noticed(connection: Connection) -> None:
    link = connection._supervisor.link
    assert isinstance(link, FastLink)
    link._client._reading_task.cancel()
    await eventually(lambda: connection.status.reconnects == 1 and connection.is_connected)


async def test_listeners_hear_of_each_change_and_may_fail(
    connection: Connection, nats_server: NatsServer
) -> None:
    states: list[LinkState] = []

    def fail(_status: object) -> None:
        raise ValueError("a listener's bug")

    connection.on_change(fail)
    stop = connection.on_change(lambda status: states.append(status.state))
    nats_server.restart()
    await eventually(lambda: states[-1:] == [LinkState.CONNECTED])
    assert LinkState.RECONNECTING in states
    stop()
    states.clear()
    await connection.close()
    assert states == []


async def test_a_failing_callback_ends_neither_link_nor_subscription(
    connection: Connection,
) -> None:
    received: list[bytes] = []

    def take(message: Message) -> None:
        if message.data == b"bad":
            raise ValueError("a callback's bug")
        received.append(message.data)

    await connection.subscribe("greetings", take)
    await connection.publish("greetings", b"bad")
    await receives(connection, "greetings", received)
    assert connection.status.reconnects == 0


async def test_an_ended_subscription_hears_nothing(connection: Connection) -> None:
    received: list[bytes] = []
    heard: list[bytes] = []
    ended = await connection.subscribe("greetings", lambda message: received.append(message.data))
    await connection.subscribe("greetings", lambda message: heard.append(message.data))
    await ended.unsubscribe()
    await ended.unsubscribe()
    await receives(connection, "greetings", heard)
    assert received == []


async def test_too_large_a_payload_is_the_callers_mistake(connection: Connection) -> None:
    with pytest.raises(InvalidInputError):
        await connection.publish("a", b"x" * (2 * 1024 * 1024))


async def test_the_round_trip_is_measured(connection: Connection) -> None:
    await eventually(lambda: connection.status.rtt_ms is not None)


async def test_closing_leaves_no_task_behind(nats_server: NatsServer) -> None:
    before = asyncio.all_tasks()
    connection = await connect(settings_of(nats_server))
    await connection.close()
    await connection.close()
    assert connection.status.state is LinkState.CLOSED
    await eventually(lambda: asyncio.all_tasks() == before)


async def test_a_wrong_password_is_told(tmp_path: Path, nats_server: NatsServer) -> None:
    guarded = NatsServer(tmp_path)
    guarded.arguments = ["--user", "fleet", "--pass", "right"]
    nats_server.stop(signal.SIGTERM)
    guarded.start()
    try:
        settings = ConnectionSettings(
            (guarded.url,), user="fleet", password="wrong", connect_timeout_s=0.5
        )
        with pytest.raises(CannotConnectError, match=r"(?i)auth"):
            await connect(settings)
    finally:
        guarded.stop()


async def test_closing_ends_a_link_at_any_moment_of_its_opening(nats_server: NatsServer) -> None:
    # The library swallows a cancellation that meets the moment in which it has connected.
    for step in range(80):
        connection = await connect(settings_of(nats_server), wait=False)
        await asyncio.sleep(step * 0.0002)
        async with asyncio.timeout(2):
            await connection.close()
