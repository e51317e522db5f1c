"""A feed shows a bucket as it is, through everything that happens to link, server and bucket."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import Connection, KvBucket, KvFeed, api_request, ensure_buckets
from tests.messaging.conftest import restarted
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nats_server import NatsServer


class Picture:
    """What a feed has told."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.puts = 0
        self.stale: list[str] = []
        self.synced = 0
        self.received_at_s = 0.0

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float) -> None:
        assert revision > 0
        if value == b"poison":
            raise ValueError("a handler's bug")
        self.values[key] = value
        self.puts += 1
        self.received_at_s = received_at_s

    def on_delete(self, key: str, revision: int) -> None:
        assert revision >= 0
        self.values.pop(key, None)

    def on_synced(self) -> None:
        self.synced += 1

    def on_stale(self, reason: str) -> None:
        self.stale.append(reason)


@pytest.fixture
def picture() -> Picture:
    return Picture()


@pytest.fixture
async def feed(connection: Connection, picture: Picture) -> AsyncIterator[KvFeed]:
    """A feed of the deployments bucket, running."""
    feed = KvFeed(connection, "deployments", picture)
    running = asyncio.create_task(feed.run())
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def bucket(connection: Connection) -> KvBucket:
    return KvBucket(connection, "deployments")


async def shows(picture: Picture, **values: bytes) -> None:
    expected = {f"shop.{name}": value for name, value in values.items()}
    await eventually(lambda: picture.values == expected, timeout_s=8, message=f"not {expected}")


async def test_an_empty_bucket_is_synced_at_once(feed: KvFeed, picture: Picture) -> None:
    await eventually(lambda: feed.stats.synced)
    assert picture.values == {}


async def test_a_snapshot_then_changes(feed: KvFeed, picture: Picture, bucket: KvBucket) -> None:
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    await bucket.put("shop.web", b"two")
    await bucket.put("shop.api", b"one")
    await shows(picture, web=b"two", api=b"one")
    await bucket.delete("shop.web")
    await shows(picture, api=b"one")
    assert feed.stats.received >= 4
    assert picture.received_at_s > 1_700_000_000


async def test_a_filter_shows_only_its_keys(connection: Connection, bucket: KvBucket) -> None:
    picture = Picture()
    await bucket.put("shop.web", b"one")
    await bucket.put("other.web", b"one")
    running = asyncio.create_task(
        KvFeed(connection, "deployments", picture, key_filter="shop.*").run()
    )
    await shows(picture, web=b"one")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_restarted_server(
    feed: KvFeed, picture: Picture, bucket: KvBucket, nats_server: NatsServer
) -> None:
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    puts = picture.puts
    nats_server.restart()
    await eventually(lambda: picture.stale and feed.stats.synced, timeout_s=8)
    assert picture.puts == puts, "what has not changed is not told again"
    await bucket.put("shop.web", b"two")
    await shows(picture, web=b"two")


async def test_a_server_that_lost_its_store(
    feed: KvFeed,
    picture: Picture,
    bucket: KvBucket,
    connection: Connection,
    nats_server: NatsServer,
) -> None:
    await bucket.put("shop.web", b"one")
    await bucket.put("shop.api", b"one")
    await shows(picture, web=b"one", api=b"one")
    await restarted(nats_server, connection, wipe=True)
    await ensure_buckets(connection)
    await bucket.put("shop.web", b"new")
    await shows(picture, web=b"new")
    assert feed.stats.synced


async def test_a_bucket_created_anew(
    feed: KvFeed, picture: Picture, bucket: KvBucket, connection: Connection
) -> None:
    await bucket.put("shop.web", b"one")
    await bucket.put("shop.web", b"two")
    await shows(picture, web=b"two")
    await api_request(connection, "STREAM.DELETE.KV_deployments")
    await ensure_buckets(connection)
    await bucket.put("shop.api", b"one")
    await shows(picture, api=b"one")
    assert feed.stats.resyncs >= 2


@pytest.mark.usefixtures("feed")
async def test_a_deleted_consumer(
    picture: Picture, bucket: KvBucket, connection: Connection
) -> None:
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    names = (await api_request(connection, "CONSUMER.NAMES.KV_deployments"))["consumers"]
    assert len(names) == 1
    await api_request(connection, f"CONSUMER.DELETE.KV_deployments.{names[0]}")
    await bucket.put("shop.web", b"two")
    await shows(picture, web=b"two")
    assert picture.stale


async def test_keys_that_vanished_in_a_gap_are_swept(
    connection: Connection, nats_server: NatsServer, picture: Picture, bucket: KvBucket
) -> None:
    await bucket.put("shop.web", b"one")
    await bucket.put("shop.api", b"one")
    feed = KvFeed(connection, "deployments", picture)
    running = asyncio.create_task(feed.run())
    await shows(picture, web=b"one", api=b"one")
    # The feed is deaf while the key is purged without a marker.
    await api_request(connection, "STREAM.UPDATE.KV_deployments", await _purgeable(connection))
    feed._take = lambda _message: None  # type: ignore[method-assign]  # deaf, as behind a bad link
    await api_request(
        connection, "STREAM.PURGE.KV_deployments", {"filter": "$KV.deployments.shop.web"}
    )
    del feed._take
    nats_server.restart()
    await shows(picture, api=b"one")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _purgeable(connection: Connection) -> dict[str, object]:
    config: dict[str, object] = (await api_request(connection, "STREAM.INFO.KV_deployments"))[
        "config"
    ]
    return {**config, "deny_purge": False}


async def test_a_lost_message_is_noticed(feed: KvFeed, picture: Picture, bucket: KvBucket) -> None:
    await eventually(lambda: feed.stats.synced)
    feed._consumer_sequence += 1
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    assert any("lost" in reason for reason in picture.stale)


@pytest.mark.timeout(25)
async def test_a_frozen_server_makes_the_picture_stale(
    feed: KvFeed, picture: Picture, bucket: KvBucket, nats_server: NatsServer
) -> None:
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    nats_server.freeze()
    await eventually(lambda: not feed.stats.synced, timeout_s=8)
    nats_server.thaw()
    await eventually(lambda: feed.stats.synced, timeout_s=10)
    assert picture.values == {"shop.web": b"one"}


async def test_a_failing_handler_ends_nothing(
    feed: KvFeed, picture: Picture, bucket: KvBucket
) -> None:
    await bucket.put("shop.bad", b"poison")
    await bucket.put("shop.web", b"one")
    await shows(picture, web=b"one")
    assert feed.stats.handler_errors == 1


async def test_a_missing_bucket_is_waited_for(connection: Connection, picture: Picture) -> None:
    await api_request(connection, "STREAM.DELETE.KV_deployments")
    running = asyncio.create_task(KvFeed(connection, "deployments", picture).run())
    await eventually(lambda: picture.stale)
    assert "not found" in picture.stale[0]
    await ensure_buckets(connection)
    await eventually(lambda: picture.synced)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class BusyPicture(Picture):
    """One that keeps the event loop to itself now and then, as a large repaint does."""

    EVERY = 1_000

    def __init__(self) -> None:
        super().__init__()
        self.holds = 0

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float) -> None:
        super().on_put(key, value, revision, received_at_s)
        if self.puts % self.EVERY == 0:
            self.holds += 1
            until = time.perf_counter() + 0.1
            while time.perf_counter() < until:
                pass


@pytest.mark.timeout(30)
async def test_a_slow_reader_loses_nothing(connection: Connection) -> None:
    """More than one batch is waiting while the event loop is held up again and again."""
    count = 25_000
    for number in range(count):
        await connection.publish(f"$KV.device-heartbeat.heartbeat.d-{number}", b"x")
    picture = BusyPicture()
    feed = KvFeed(connection, "device-heartbeat", picture)
    running = asyncio.create_task(feed.run())
    await eventually(lambda: feed.stats.synced and len(picture.values) == count, timeout_s=15)
    assert picture.holds == count // BusyPicture.EVERY
    assert feed.stats.resyncs == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_feed_that_ends_leaves_no_consumer(
    connection: Connection, picture: Picture
) -> None:
    running = asyncio.create_task(KvFeed(connection, "deployments", picture).run())
    await eventually(lambda: picture.synced)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    deadline = asyncio.get_running_loop().time() + 5
    while (await api_request(connection, "CONSUMER.NAMES.KV_deployments"))["consumers"]:
        assert asyncio.get_running_loop().time() < deadline


class CarefulPicture(Picture):
    """One that wants to know of keys that nobody deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.vanished: list[str] = []

    def on_vanished(self, key: str) -> None:
        self.vanished.append(key)


async def test_a_lost_store_is_told_apart_from_deletions(
    bucket: KvBucket, connection: Connection, nats_server: NatsServer
) -> None:
    picture = CarefulPicture()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(KvFeed(connection, bucket.name, picture).run())
        await bucket.put("shop.web", b"one")
        await bucket.put("shop.api", b"one")
        await eventually(lambda: len(picture.values) == 2)
        await bucket.delete("shop.web")
        await eventually(lambda: len(picture.values) == 1)
        assert picture.vanished == []
        await restarted(nats_server, connection, wipe=True)
        await ensure_buckets(connection)
        await eventually(lambda: picture.vanished == ["shop.api"])
        assert list(picture.values) == ["shop.api"]
        following.cancel()


class KeepingPicture(Picture):
    """One that keeps the keys itself, so that the feed need not."""

    def known_keys(self) -> list[str]:
        return list(self.values)

    def knows(self, key: str) -> bool:
        return key in self.values


async def test_a_handler_that_keeps_its_keys_is_told_of_vanished_ones_too(
    bucket: KvBucket, connection: Connection, nats_server: NatsServer
) -> None:
    picture = KeepingPicture()
    feed = KvFeed(connection, bucket.name, picture)
    assert feed._own_keys is None
    async with asyncio.TaskGroup() as group:
        following = group.create_task(feed.run())
        await bucket.put("shop.web", b"one")
        await bucket.put("shop.api", b"one")
        await shows(picture, web=b"one", api=b"one")
        await restarted(nats_server, connection, wipe=True)
        await ensure_buckets(connection)
        await bucket.put("shop.web", b"new")
        await shows(picture, web=b"new")
        following.cancel()


@pytest.mark.timeout(60)
async def test_large_values_are_read_in_bites_that_the_server_can_hold(
    connection: Connection, bucket: KvBucket
) -> None:
    large = b"x" * 40 * 1024
    count = 3_000  # 120 MB: the server drops a client that it owes 64
    for start in range(0, count, 100):
        keys = range(start, start + 100)
        await asyncio.gather(*(bucket.put(f"shop.web-{number}", large) for number in keys))
    picture = Picture()
    feed = KvFeed(connection, bucket.name, picture)
    running = asyncio.create_task(feed.run())
    await eventually(lambda: feed.stats.synced, timeout_s=40)
    assert len(picture.values) == count
    assert feed.stats.resyncs == 1
    await bucket.put("shop.web-0", b"small")
    await eventually(lambda: picture.values["shop.web-0"] == b"small")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
