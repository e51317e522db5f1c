"""Operators as programs, killed in the middle of their work."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import manifest
from tests.operator.fleets import deployment
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from tests.operator.plant import Plant
    from tests.support.kubernetes import KubernetesMachine
    from tests.support.nats_server import NatsServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(150)]

DEVICES = tuple(f"till-{number:02}" for number in range(40))
NAMES = tuple(f"app-{number:02}" for number in range(30))
CONVERGES_WITHIN_S = 30.0


async def program(url: str, kubeconfig: str) -> asyncio.subprocess.Process:
    """``fleet operator`` as people run it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_core.cli", "operator", "--nats", url),
        *("--kubeconfig", kubeconfig),
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_one_that_is_killed_under_load_is_replaced_within_half_a_minute(
    kubernetes: KubernetesMachine, plant: Plant, nats_server: NatsServer
) -> None:
    for device in DEVICES:
        await plant.device(device, site="berlin")

    async def complete() -> int:
        stored = await plant.all_of("desired-state")
        return sum(key.partition(".")[2] in NAMES for key in stored)

    async def some() -> bool:
        return 0 < await complete() < len(DEVICES) * len(NAMES)

    first = await program(nats_server.url, kubernetes.kubeconfig)
    second = None
    applying = None
    try:
        resources = [manifest(deployment(name)) for name in NAMES]
        applying = asyncio.create_task(asyncio.to_thread(kubernetes.apply, *resources))
        await eventually_reads(some, True, timeout_s=30)
        first.kill()
        await first.wait()
        killed_at = time.monotonic()
        second = await program(nats_server.url, kubernetes.kubeconfig)
        await applying
        await eventually_reads(complete, len(DEVICES) * len(NAMES), timeout_s=CONVERGES_WITHIN_S)
        for device in DEVICES:
            await eventually_reads(lambda device=device: plant.named(device), sorted(NAMES))
        assert time.monotonic() - killed_at < CONVERGES_WITHIN_S
    finally:
        for process in filter(None, (first, second)):
            if process.returncode is None:
                process.kill()
                await process.wait()
        if applying is not None:
            await applying
