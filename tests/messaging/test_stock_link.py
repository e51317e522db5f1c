"""The link for a client library that is not known: slower, and just as true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.commands import command_subject
from fleet_core.errors import DeviceOfflineError, InvalidInputError
from fleet_core.messaging import (
    CommandServer,
    Connection,
    KvBucket,
    KvFeed,
    Message,
    connect,
    ensure_buckets,
    fast_link,
)
from fleet_core.messaging.stock_link import StockLink
from tests.messaging.conftest import restarted, settings_of
from tests.messaging.test_feed import Picture
from tests.support.waiting import eventually, eventually_reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
async def stock(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connection]:
    """A connection over the library's own ways, as with a version that nobody has tried."""
    monkeypatch.setattr(fast_link, "KNOWN_VERSION", "0.0.")
    async with await connect(settings_of(nats_server)) as connection:
        await ensure_buckets(connection)
        assert isinstance(connection._supervisor.link, StockLink)
        yield connection


async def test_a_feed_follows_through_a_restart(stock: Connection, nats_server: NatsServer) -> None:
    bucket, picture = KvBucket(stock, "deployments"), Picture()
    following = asyncio.create_task(KvFeed(stock, bucket.name, picture).run())
    await bucket.put("shop.web", b"one")
    await eventually(lambda: picture.values == {"shop.web": b"one"})
    await restarted(nats_server, stock)
    await bucket.delete("shop.web")
    await bucket.put("shop.api", b"two")
    await eventually(lambda: picture.values == {"shop.api": b"two"}, timeout_s=8)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_commands_are_answered_and_absent_devices_told_at_once(stock: Connection) -> None:
    async def ping(payload: bytes, _message: Message) -> bytes:
        return b"pong " + payload

    server = CommandServer(stock, "van-1")
    server.handle("ping", ping)
    serving = asyncio.create_task(server.run())

    async def asked() -> bytes:
        try:
            return (await stock.requests.request("device-commands.van-1.ping", b"1", 2.0)).data
        except DeviceOfflineError:
            return b""

    await eventually_reads(asked, b"pong 1")  # the server may not know of the subscription yet
    with pytest.raises(DeviceOfflineError):
        await stock.requests.request(command_subject("nobody", "ping"), b"", 2.0)
    found = [
        key
        async for key, _ in stock.requests.scatter(
            [(str(n), "device-commands.van-1.ping", b"x") for n in range(50)], timeout_s=5
        )
    ]
    assert sorted(map(int, found)) == list(range(50))
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_what_cannot_be_sent_is_refused(stock: Connection) -> None:
    with pytest.raises(InvalidInputError):
        await stock.publish("two words", b"")
    with pytest.raises(InvalidInputError):
        await stock.publish("greetings", b"x" * (1024 * 1024 + 1))
    with pytest.raises(InvalidInputError):
        await stock.subscribe("a..b", lambda _message: None)


async def test_a_frozen_server_does_not_hold_up_the_end(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("0.0.", fast_link.KNOWN_VERSION):
        monkeypatch.setattr(fast_link, "KNOWN_VERSION", known)
        connection = await connect(settings_of(nats_server))
        nats_server.freeze()
        await connection.publish("greetings", b"x" * 1_000_000)
        async with asyncio.timeout(4):
            await connection.close()
        nats_server.thaw()
        assert not connection.is_connected
