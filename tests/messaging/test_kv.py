"""A bucket: what is written is read, compare-and-set decides races, limits are the contract's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import ALL_BUCKETS, DEVICE_STATE
from fleet_core.errors import BrokenError, ConflictError, RetryLaterError
from fleet_core.messaging import Connection, KvBucket, api_request, ensure_buckets
from tests.messaging.conftest import restarted

if TYPE_CHECKING:
    from tests.support.nats_server import NatsServer


@pytest.fixture
def bucket(connection: Connection) -> KvBucket:
    return KvBucket(connection, "deployments")


async def test_what_is_put_is_got(bucket: KvBucket) -> None:
    revision = await bucket.put("shop.web", b"one", {"Fleet-Generation": "3"})
    entry = await bucket.get("shop.web")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"one", revision)
    assert entry.headers["Fleet-Generation"] == "3"
    assert abs(entry.received_at_s - time.time()) < 60


async def test_what_is_not_there_is_none(bucket: KvBucket) -> None:
    assert await bucket.get("shop.web") is None
    await bucket.put("shop.web", b"one")
    await bucket.delete("shop.web")
    assert await bucket.get("shop.web") is None
    await bucket.delete("shop.other")


async def test_create_takes_only_a_free_key(bucket: KvBucket) -> None:
    await bucket.create("shop.web", b"one")
    with pytest.raises(ConflictError):
        await bucket.create("shop.web", b"two")
    await bucket.delete("shop.web")
    await bucket.create("shop.web", b"three")


async def test_update_takes_only_the_revision_it_was_decided_on(bucket: KvBucket) -> None:
    first = await bucket.put("shop.web", b"one")
    second = await bucket.update("shop.web", b"two", first)
    with pytest.raises(ConflictError):
        await bucket.update("shop.web", b"three", first)
    with pytest.raises(ConflictError):
        await bucket.delete("shop.web", first)
    await bucket.delete("shop.web", second)


async def test_a_value_beyond_the_buckets_limit_is_refused(connection: Connection) -> None:
    state = KvBucket(connection, DEVICE_STATE.name)
    with pytest.raises(BrokenError, match="size"):
        await state.put("state.van-1.web", b"x" * (DEVICE_STATE.max_value_bytes + 1))


async def test_a_bucket_that_is_missing_is_worth_another_try(connection: Connection) -> None:
    with pytest.raises(RetryLaterError):
        await KvBucket(connection, "nowhere").put("a", b"")


async def test_buckets_are_as_the_contract_says(connection: Connection) -> None:
    await ensure_buckets(connection)
    for spec in ALL_BUCKETS:
        config = (await api_request(connection, f"STREAM.INFO.{spec.stream}"))["config"]
        assert config["max_msgs_per_subject"] == 1
        assert config["allow_direct"]
        assert config["max_msg_size"] == spec.max_value_bytes
        assert config.get("allow_rollup_hdrs", False) is not spec.device_written
        assert config.get("deny_purge", False) is spec.device_written
        assert config["subjects"] == [f"$KV.{spec.name}.>"]


async def test_a_device_cannot_wipe_a_bucket_by_a_rollup(connection: Connection) -> None:
    bucket = KvBucket(connection, DEVICE_STATE.name)
    await bucket.put("state.van-1.web", b"one")
    with pytest.raises(BrokenError):
        await bucket.put("state.van-2.web", b"two", {"Nats-Rollup": "all"})
    assert await bucket.get("state.van-1.web")


async def test_buckets_outlive_their_server(
    connection: Connection, nats_server: NatsServer
) -> None:
    bucket = KvBucket(connection, "deployments")
    await bucket.put("shop.web", b"one")
    await restarted(nats_server, connection)
    assert (await bucket.get("shop.web")) is not None
