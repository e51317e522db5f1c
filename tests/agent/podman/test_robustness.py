"""On a real podman: it goes away and comes back, and callers give up."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import (
    Exited,
    RunState,
    RuntimeUnavailableError,
    TimedOut,
)
from tests.agent.podman.containers import SHOP, init, names, run, said, service
from tests.support.waiting import eventually, eventually_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [
    pytest.mark.podman,
    pytest.mark.timeout(60),
    # podman-py does not close a socket on which nobody answers.
    pytest.mark.filterwarnings("ignore:unclosed <podman.api.uds:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let go of such sockets here, not in a test that does not expect them."""
    yield
    gc.collect()


async def test_without_podman_every_call_says_so_and_with_it_again_all_is_as_it_was(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    before = await runtime.ensure_service_running(service())
    podman.stop()
    for _ in range(2):
        for call in (
            runtime.describe(),
            runtime.ensure_service_running(service()),
            runtime.run_to_completion(init("true"), 5),
            runtime.list_managed_services(),
            runtime.list_init_containers(),
            runtime.container_status(SHOP),
            runtime.logs(SHOP, tail=1),
            run(runtime, "true"),
            runtime.stop(SHOP),
            runtime.remove(SHOP),
            runtime.pull_image("localhost/fleet-test:1"),
        ):
            with pytest.raises(RuntimeUnavailableError):
                await call
    podman.start()
    assert await runtime.ensure_service_running(service()) == before
    assert await said(runtime, "echo alive") == "alive"
    assert (await runtime.describe()).startswith("podman ")


async def test_killed_while_a_program_runs_in_a_container_the_caller_is_told(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service())
    running = asyncio.create_task(run(runtime, "sleep 30"))

    async def begun() -> bool:
        return "sleep 30" in podman.run("top", SHOP.runtime_name, "args")

    await eventually_reads(begun, expected=True)
    podman.stop()
    with pytest.raises(RuntimeUnavailableError):
        await asyncio.wait_for(running, 15)
    podman.start()
    assert await said(runtime, "echo alive") == "alive"


async def test_changes_are_heard_of_again_after_podman_was_away(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    heard: list[str] = []
    stop = runtime.on_change(heard.append)
    await runtime.ensure_service_running(service())
    await eventually(lambda: "shop" in heard)
    podman.stop()
    podman.start()
    heard.clear()

    async def hears() -> bool:
        podman.run("kill", "--signal", "CONT", SHOP.runtime_name)
        return "shop" in heard

    await eventually_reads(hears, expected=True, timeout_s=20)
    stop()


async def test_an_init_container_that_ends_while_podman_is_away_is_adopted_with_its_end(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    spec = init("sleep 1.5; echo done; exit 4")
    waiting = asyncio.create_task(runtime.run_to_completion(spec, 30))

    async def running() -> object:
        found = await runtime.container_status(spec.key)
        return found and found.state

    await eventually_reads(running, RunState.RUNNING)
    podman.stop()
    with pytest.raises(RuntimeUnavailableError):
        await waiting
    podman.start()
    outcome = await runtime.run_to_completion(spec, 30)
    assert isinstance(outcome, Exited)
    assert (outcome.exit_code, [line.text for line in outcome.log]) == (4, ["done"])


async def test_a_start_that_nobody_waits_for_any_more_is_finished_and_found(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    for delay_s in (0.0, 0.01, 0.05, 0.1):
        starting = asyncio.create_task(runtime.ensure_service_running(service()))
        await asyncio.sleep(delay_s)
        starting.cancel()
        await asyncio.wait([starting])
        found = await runtime.ensure_service_running(service())
        assert found.state is RunState.RUNNING
        assert names(podman) == {SHOP.runtime_name}
        (listed,) = await runtime.list_managed_services()
        assert listed.container_id == found.container_id
        await runtime.remove(SHOP)


async def test_a_wait_that_is_given_up_leaves_the_init_container_to_the_next(
    runtime: PodmanRuntime,
) -> None:
    spec = init("sleep 1; exit 5")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(runtime.run_to_completion(spec, 30), 0.6)
    (seen,) = await runtime.list_init_containers()
    assert seen.state is RunState.RUNNING
    outcome = await runtime.run_to_completion(spec, 30)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 5
    (ended,) = await runtime.list_init_containers()
    assert ended.container_id == seen.container_id


async def test_another_agent_finds_the_init_container_and_its_time_goes_on(
    device: Callable[..., PodmanRuntime],
) -> None:
    spec = init("sleep 30")
    first = asyncio.create_task(device().run_to_completion(spec, 2))
    second = device()

    async def running() -> object:
        found = await second.container_status(spec.key)
        return found and found.state

    await eventually_reads(running, RunState.RUNNING)
    first.cancel()
    begun = time.monotonic()
    await asyncio.sleep(0.5)
    outcome = await second.run_to_completion(spec, 2)
    assert isinstance(outcome, TimedOut)
    assert time.monotonic() - begun < 3
    assert await second.container_status(spec.key) is None
