"""On a real podman: stop signals and grace, what is paused, and who is stopped by whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent.runtime.contract import ContainerConfigError, ContainerKey, RunState
from tests.agent.podman.containers import SHOP, inspected, names, run, service
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
READY = "echo ready > /run/ready; while true; do sleep 1000 & wait; done"


def trapping(traps: str, **fields: Any) -> Any:
    """A service that says when its traps are set."""
    return service(f"{traps}; {READY}", tmpfs=["/run"], **fields)


async def started(runtime: PodmanRuntime, spec: Any) -> None:
    await runtime.ensure_service_running(spec)

    async def ready() -> int | None:
        return (await run(runtime, "test -e /run/ready", spec.key)).exit_code

    await eventually_reads(ready, 0)


async def ended(runtime: PodmanRuntime, key: ContainerKey = SHOP) -> int | None:
    found = await runtime.container_status(key)
    assert found is not None
    assert found.state is RunState.EXITED
    return found.exit_code


async def test_who_honours_term_ends_at_once_with_its_own_exit_code(
    runtime: PodmanRuntime,
) -> None:
    await started(runtime, trapping("trap 'exit 7' TERM", stop_grace_s=30))
    begun = time.monotonic()
    await runtime.stop(SHOP)
    assert time.monotonic() - begun < 2
    assert await ended(runtime) == 7


async def test_who_ignores_term_is_killed_at_the_end_of_its_grace(
    runtime: PodmanRuntime,
) -> None:
    await started(runtime, trapping("trap '' TERM", stop_grace_s=2))
    begun = time.monotonic()
    await runtime.stop(SHOP)
    assert 2 <= time.monotonic() - begun < 3
    assert await ended(runtime) == 137


async def test_a_grace_given_with_the_call_counts_instead(runtime: PodmanRuntime) -> None:
    await started(runtime, trapping("trap '' TERM", stop_grace_s=30))
    begun = time.monotonic()
    await runtime.stop(SHOP, 0.5)
    assert 0.5 <= time.monotonic() - begun < 1.5
    assert await ended(runtime) == 137


async def test_without_any_grace_it_is_killed_at_once(runtime: PodmanRuntime) -> None:
    await started(runtime, trapping("trap '' TERM", stop_grace_s=0))
    begun = time.monotonic()
    await runtime.stop(SHOP)
    assert time.monotonic() - begun < 1
    assert await ended(runtime) == 137


async def test_the_stop_signal_of_the_score_is_sent_and_no_other(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    traps = "trap 'exit 4' USR1; trap 'exit 5' TERM"
    await started(runtime, trapping(traps, stop_signal="SIGUSR1"))
    await runtime.stop(SHOP)
    assert await ended(runtime) == 4
    assert inspected(podman)["Config"]["StopSignal"] in {10, "10", "SIGUSR1"}


async def test_a_stop_signal_that_does_not_exist_is_refused_before_anything_is_stopped(
    runtime: PodmanRuntime,
) -> None:
    first = await runtime.ensure_service_running(service())
    with pytest.raises(ContainerConfigError, match="SIGNEVER"):
        await runtime.ensure_service_running(service(attempt=1, stop_signal="SIGNEVER"))
    assert await runtime.container_status(SHOP) == first


async def test_the_stop_signal_of_the_image_counts_where_the_score_says_none(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    podman.make_image("localhost/fleet-test-quit:1", "STOPSIGNAL SIGQUIT")
    spec = trapping("trap 'exit 3' QUIT; trap 'exit 5' TERM", image="localhost/fleet-test-quit:1")
    await started(runtime, spec)
    await runtime.stop(SHOP)
    assert await ended(runtime) == 3


async def test_a_replacement_waits_for_the_grace_of_the_one_before(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    """The old one's grace, not the new one's: the labels of what runs tell it."""
    spec = trapping("trap 'sleep 1; exit 0' TERM", stop_grace_s=20)
    await started(runtime, spec)
    begun = time.monotonic()
    await runtime.ensure_service_running(service(attempt=1, stop_grace_s=0))
    assert 1 <= time.monotonic() - begun < 4
    assert names(podman) == {SHOP.runtime_name}


async def test_what_is_removed_is_not_asked_first(runtime: PodmanRuntime) -> None:
    await started(runtime, trapping("trap '' TERM", stop_grace_s=30))
    begun = time.monotonic()
    await runtime.remove(SHOP)
    assert time.monotonic() - begun < 2
    assert await runtime.container_status(SHOP) is None


async def test_paused_by_hand_it_is_there_and_is_not_replaced(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    first = await runtime.ensure_service_running(service())
    podman.run("pause", SHOP.runtime_name)
    again = await runtime.ensure_service_running(service())
    assert (again.container_id, again.state) == (first.container_id, RunState.RUNNING)
    podman.run("unpause", SHOP.runtime_name)


async def test_paused_by_hand_it_can_be_stopped_as_any_other(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await started(runtime, trapping("trap 'exit 7' TERM"))
    podman.run("pause", SHOP.runtime_name)
    begun = time.monotonic()
    await runtime.stop(SHOP)
    assert time.monotonic() - begun < 3
    assert await ended(runtime) == 7


async def test_paused_by_hand_it_can_be_replaced_and_removed(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    first = await runtime.ensure_service_running(service())
    podman.run("pause", SHOP.runtime_name)
    begun = time.monotonic()
    second = await runtime.ensure_service_running(service(attempt=1))
    assert second.container_id != first.container_id
    podman.run("pause", SHOP.runtime_name)
    await runtime.remove(SHOP)
    assert time.monotonic() - begun < 6
    assert names(podman) == set()
