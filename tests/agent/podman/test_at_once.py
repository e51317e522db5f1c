"""On a real podman: much happens at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerKey, RunState
from tests.agent.podman.containers import SHOP, names, run, service

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


async def test_ten_starts_at_once(runtime: PodmanRuntime, podman: PodmanMachine) -> None:
    specs = [
        service(name=f"web-{index}", deployment=f"shop-{index % 3}", stop_grace_s=0)
        for index in range(10)
    ]
    found = await asyncio.gather(*(runtime.ensure_service_running(spec) for spec in specs))
    assert {snapshot.state for snapshot in found} == {RunState.RUNNING}
    assert names(podman) == {spec.key.runtime_name for spec in specs}
    assert len(await runtime.list_managed_services()) == 10
    await asyncio.gather(*(runtime.remove(spec.key) for spec in specs))
    assert names(podman) == set()


async def test_the_same_service_asked_for_ten_times_at_once_is_one(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    found = await asyncio.gather(*(runtime.ensure_service_running(service()) for _ in range(10)))
    assert len({snapshot.container_id for snapshot in found}) == 1
    assert names(podman) == {SHOP.runtime_name}


async def test_a_long_program_holds_up_no_other_call(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service())
    programs = [asyncio.create_task(run(runtime, "sleep 2")) for _ in range(8)]
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    await runtime.ensure_service_running(service(deployment="other"))
    await runtime.remove(ContainerKey("other", "web"))
    assert time.monotonic() - begun < 3
    assert {outcome.exit_code for outcome in await asyncio.gather(*programs)} == {0}
