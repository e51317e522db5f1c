"""Fixtures of the tests of the operator against a real server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import connect
from fleet_core.operator.controller import Operator
from fleet_core.operator.kv_resources import KvResourceStore
from fleet_core.operator.refusals import Refusals
from tests.messaging.conftest import settings_of
from tests.operator.plant import Plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nats_server import NatsServer


@pytest.fixture
async def plant(nats_server: NatsServer) -> AsyncIterator[Plant]:
    """Buckets with devices, and no operator yet."""
    async with await connect(settings_of(nats_server)) as connection:
        plant = Plant(connection)
        await plant.prepare()
        yield plant


@pytest.fixture
async def operator(plant: Plant) -> AsyncIterator[Operator]:
    """An operator that runs on the plant."""
    refusals = Refusals()
    store = KvResourceStore(plant.connection, refusals)
    operator = Operator(plant.connection, store, refusals=refusals)
    running = asyncio.create_task(operator.run())
    yield operator
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
