"""FleetNatsScore: a NATS server that is reached, holds the buckets, and is proved to."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import ALL_BUCKETS, AUDIT_STREAM
from fleet_core.deploy.local import LocalTopology
from fleet_core.deploy.nats_score import NATS, FleetNatsScore, nats_url, settings_for
from fleet_core.deploy.operator_score import FleetOperatorScore
from fleet_core.deploy.score import interpret
from fleet_core.errors import BrokenError, NotFoundError
from fleet_core.messaging import KvBucket, api_request, connect
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def topology() -> AsyncIterator[LocalTopology]:
    async with LocalTopology() as topology:
        yield topology


async def test_it_answers_at_its_url_with_every_bucket(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    assert url.startswith("nats://127.0.0.1:")
    assert await nats_url(topology) == url
    async with await connect(settings_for(url, "test")) as connection:
        answer = await api_request(connection, "STREAM.NAMES")
    assert set(answer["streams"]) == {bucket.stream for bucket in ALL_BUCKETS} | {AUDIT_STREAM}


async def test_interpreting_it_again_changes_nothing(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    pid = topology.pid(NATS)
    assert await interpret(FleetNatsScore(), topology) == url
    assert topology.pid(NATS) == pid


async def test_changing_it_restarts_the_server_at_the_same_url(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    pid = topology.pid(NATS)
    assert await interpret(FleetNatsScore(sync_always=True), topology) == url
    assert topology.pid(NATS) != pid


async def test_what_was_stored_survives_kill_9(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    pid = topology.pid(NATS)
    async with await connect(settings_for(url, "test")) as connection:
        await KvBucket(connection, "desired-state").put("device.web", b"kept")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: topology.pid(NATS) != pid)
    await interpret(FleetNatsScore(), topology)
    async with await connect(settings_for(url, "test")) as connection:
        entry = await KvBucket(connection, "desired-state").get("device.web")
    assert entry is not None
    assert entry.value == b"kept"


async def test_a_server_that_is_not_allowed_any_store_fails_its_smoke_test(
    topology: LocalTopology,
) -> None:
    with pytest.raises(BrokenError, match="insufficient storage"):
        await interpret(FleetNatsScore(max_store_bytes=1), topology)


async def test_the_operator_needs_a_nats_server_first(topology: LocalTopology) -> None:
    with pytest.raises(NotFoundError, match="deploy its Score first"):
        await interpret(FleetOperatorScore(), topology)
