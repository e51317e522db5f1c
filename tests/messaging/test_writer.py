"""Offered values are stored in the end, newest last, whatever happens to the server meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import DEVICE_STATE
from fleet_core.errors import RetryLaterError
from fleet_core.messaging import (
    Connection,
    KvBucket,
    LatestWriter,
    api_request,
    ensure_buckets,
)
from tests.messaging.conftest import restarted
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nats_server import NatsServer

BUCKET = DEVICE_STATE.name


@pytest.fixture
async def writer(connection: Connection) -> AsyncIterator[LatestWriter]:
    writer = LatestWriter(connection)
    running = asyncio.create_task(writer.run())
    yield writer
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def stored(connection: Connection, key: str) -> bytes | None:
    entry = await KvBucket(connection, BUCKET).get(key)
    return entry.value if entry else None


async def test_offered_values_are_stored(writer: LatestWriter, connection: Connection) -> None:
    for number in range(3_000):
        writer.offer(BUCKET, f"state.d-{number}.web", b"%d" % number, {"X": "1"})
    await writer.drained(8)
    assert (writer.acked, writer.pending, writer.retries) == (3_000, 0, 0)
    assert await stored(connection, "state.d-2999.web") == b"2999"


async def test_only_the_newest_value_of_a_key_is_written(
    writer: LatestWriter, connection: Connection
) -> None:
    for number in range(1_000):
        writer.offer(BUCKET, "state.van-1.web", b"%d" % number)
    await writer.drained(5)
    assert await stored(connection, "state.van-1.web") == b"999"
    assert writer.acked < 10


async def test_none_deletes(writer: LatestWriter, connection: Connection) -> None:
    writer.offer(BUCKET, "state.van-1.web", b"one")
    await writer.drained(5)
    writer.offer(BUCKET, "state.van-1.web", None)
    await writer.drained(5)
    assert await stored(connection, "state.van-1.web") is None


async def test_values_are_kept_through_an_outage(
    writer: LatestWriter, connection: Connection, nats_server: NatsServer
) -> None:
    nats_server.stop()
    await eventually(lambda: not connection.is_connected)
    writer.offer(BUCKET, "state.van-1.web", b"old")
    writer.offer(BUCKET, "state.van-1.web", b"new")
    with pytest.raises(RetryLaterError):
        await writer.drained(0.1)
    nats_server.start()
    await writer.drained(8)
    assert await stored(connection, "state.van-1.web") == b"new"


async def test_a_bucket_that_is_not_there_yet_is_waited_for(
    writer: LatestWriter, connection: Connection
) -> None:
    await api_request(connection, f"STREAM.DELETE.KV_{BUCKET}")
    writer.offer(BUCKET, "state.van-1.web", b"one")
    await eventually(lambda: writer.retries)
    await ensure_buckets(connection)
    await writer.drained(8)
    assert await stored(connection, "state.van-1.web") == b"one"


async def test_what_the_server_will_never_take_is_dropped_and_counted(
    writer: LatestWriter, connection: Connection
) -> None:
    writer.offer(BUCKET, "state.van-1.web", b"x" * (DEVICE_STATE.max_value_bytes + 1))
    writer.offer(BUCKET, "state.van-2.web", b"x" * (2 * 1024 * 1024))
    writer.offer(BUCKET, "state.van-3.web", b"fine")
    await writer.drained(5)
    assert writer.refused == 2
    assert await stored(connection, "state.van-3.web") == b"fine"


async def test_a_restart_under_load_loses_nothing(
    writer: LatestWriter, connection: Connection, nats_server: NatsServer
) -> None:
    for number in range(2_000):
        writer.offer(BUCKET, f"state.d-{number}.web", b"one")
    await asyncio.sleep(0)
    await restarted(nats_server, connection)
    await writer.drained(9)
    info = await api_request(connection, f"STREAM.INFO.KV_{BUCKET}", {"subjects_filter": ">"})
    assert len(info["state"]["subjects"]) == 2_000
