"""How many calls to podman a reconcile costs: what has changed, and not what there is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import ConnectionSettings, connect, ensure_buckets
from tests.agent.podman_agent import PodmanAgent, booted, web
from tests.agent.wire import Operator

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.nats_server import NatsServer
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(90)]


async def calls_of_an_update(
    device: PodmanAgent, operator: Operator, runtime: PodmanRuntime, version: str
) -> int:
    before = runtime.api.calls
    entry = await operator.order("shop", device.score(web(version=version)))
    await operator.running("shop", entry, 20)
    await asyncio.sleep(0.5)  # what the events of it still lead to
    return runtime.api.calls - before


async def test_an_update_costs_the_same_beside_twenty_others(
    podman: PodmanMachine, nats_server: NatsServer, tmp_path: Path
) -> None:
    device = PodmanAgent(podman, nats_server.url, tmp_path)
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()
        async with booted(device, "boot-1") as runtime:
            await calls_of_an_update(device, operator, runtime, "1")
            alone = await calls_of_an_update(device, operator, runtime, "2")
            for index in range(20):
                await operator.order(f"other-{index}", device.score(web()))
            for name, entry in operator.deployments.items():
                await operator.running(name, entry, 60)
            await asyncio.sleep(11)  # by then each of them has proved itself
            beside = await calls_of_an_update(device, operator, runtime, "3")
            # Each of the twenty would cost a call at least.
            assert beside < alone + 12
            assert alone < 40
            before = runtime.api.calls
            await asyncio.sleep(3)
            assert runtime.api.calls - before <= 5
