"""On a real podman: what a container may use at most, and how going over it is seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import Exited, RunState
from tests.agent.podman.containers import SHOP, init, inspected, service
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
EATS = "echo eating; exec tail /dev/zero"
"""It looks for an end of line in zeros, and keeps them all."""


async def test_cpu_and_memory_and_pids_are_podmans_to_enforce(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    resources = {"cpu": "250m", "memory": "32Mi", "pids": 17}
    await runtime.ensure_service_running(service(resources=resources))
    told = inspected(podman)["HostConfig"]
    assert (told["CpuQuota"], told["CpuPeriod"]) == (25_000, 100_000)
    assert told["Memory"] == 32 * 2**20
    assert told["PidsLimit"] == 17


async def test_without_resources_only_processes_are_limited(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service())
    told = inspected(podman)["HostConfig"]
    assert (told["CpuQuota"], told["Memory"], told["PidsLimit"]) == (0, 0, 2048)


async def test_the_least_that_may_be_asked_for_starts(runtime: PodmanRuntime) -> None:
    resources = {"cpu": "10m", "memory": "6Mi"}
    outcome = await runtime.run_to_completion(init("exit 0", resources=resources), 30)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 0


async def test_who_takes_too_much_memory_is_killed(runtime: PodmanRuntime) -> None:
    spec = init(EATS, resources={"memory": "16Mi"})
    outcome = await runtime.run_to_completion(spec, 30)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 137
    assert [line.text for line in outcome.log] == ["eating"]


async def test_a_lack_of_memory_is_told_as_what_it_is(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service(EATS, resources={"memory": "16Mi"}))

    async def ended() -> tuple[object, ...]:
        found = await runtime.container_status(SHOP)
        assert found is not None
        return found.state, found.exit_code

    await eventually_reads(ended, (RunState.EXITED, 137), timeout_s=20)
    (listed,) = await runtime.list_managed_services()
    # podman 4 itself does not know (conmon); the kernel's log does.
    assert listed.oom_killed is os.access("/dev/kmsg", os.R_OK)


async def test_killed_by_somebody_is_no_lack_of_memory(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service(resources={"memory": "16Mi"}))
    podman.run("kill", "--signal", "KILL", SHOP.runtime_name)

    async def ended() -> tuple[object, ...]:
        found = await runtime.container_status(SHOP)
        assert found is not None
        return found.state, found.exit_code, found.oom_killed

    await eventually_reads(ended, (RunState.EXITED, 137, False), timeout_s=10)


async def test_a_fork_bomb_ends_at_the_limit_of_processes(runtime: PodmanRuntime) -> None:
    script = "for i in $(seq 40); do sleep 30 & done; echo all"
    outcome = await runtime.run_to_completion(init(script, resources={"pids": 16}), 20)
    assert isinstance(outcome, Exited)
    text = "\n".join(line.text for line in outcome.log)
    assert "can't fork" in text
    assert "all" not in text
    fine = await runtime.run_to_completion(init(script, name="fine"), 20)
    assert isinstance(fine, Exited)
    assert (fine.exit_code, [line.text for line in fine.log]) == (0, ["all"])
