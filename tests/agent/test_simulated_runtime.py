"""The simulated runtime passes the suite of all runtimes, and follows its script."""

from __future__ import annotations

import asyncio

import pytest

from fleet_agent.runtime.behaviour import Behaviour, ImageBehaviour, ImageScript
from fleet_agent.runtime.contract import Exited, ImagePullError, RunState
from fleet_agent.runtime.simulated import SimulatedRuntime
from tests.agent.runtime_suite import (
    CRASHING,
    FAILING,
    MISSING,
    PLAIN,
    SLOW,
    Device,
    RuntimeSuite,
    init,
    service,
)
from tests.support.virtual_time import VirtualClock, virtually

SCRIPT = ImageScript(
    images={MISSING: ImageBehaviour(missing=True)},
    containers={
        FAILING: Behaviour(run_s=0.02, exit_code=3, log=("hello",), last_words=("giving up",)),
        SLOW: Behaviour(run_s=3_600.0),
        CRASHING: Behaviour(run_s=0.1, exit_code=1),
    },
)


class SimulatedDevice(Device):
    """A device whose containers live ten times as fast as others do."""

    def __init__(self) -> None:
        self.runtime = SimulatedRuntime(SCRIPT)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


class TestSimulatedRuntime(RuntimeSuite):
    """The suite."""

    @pytest.fixture
    def device(self) -> Device:
        return SimulatedDevice()


def simulated(script: ImageScript) -> SimulatedRuntime:
    return SimulatedRuntime(script, clock=VirtualClock())


@virtually
async def test_pulls_take_their_time_and_fail_as_often_as_scripted() -> None:
    runtime = simulated(ImageScript(images={PLAIN: ImageBehaviour(pull_s=30, failing_pulls=2)}))
    started = asyncio.get_running_loop().time()
    for _ in range(2):
        with pytest.raises(ImagePullError):
            await runtime.pull_image(PLAIN)
    await runtime.pull_image(PLAIN)
    assert asyncio.get_running_loop().time() - started == pytest.approx(90)


@virtually
async def test_a_service_that_ignores_term_is_killed_after_its_grace() -> None:
    runtime = simulated(ImageScript(containers={PLAIN: Behaviour(ignores_term=True)}))
    await runtime.pull_image(PLAIN)
    await runtime.ensure_service_running(service())
    started = asyncio.get_running_loop().time()
    await runtime.stop(service().key, grace_s=10)
    assert asyncio.get_running_loop().time() - started == pytest.approx(10, abs=0.1)
    seen = await runtime.container_status(service().key)
    assert seen is not None
    assert seen.exit_code == 137


@virtually
async def test_an_init_container_that_is_cancelled_goes_on_and_is_adopted() -> None:
    runtime = simulated(ImageScript(containers={PLAIN: Behaviour(run_s=60)}))
    await runtime.pull_image(PLAIN)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(runtime.run_to_completion(init(), 300), 10)
    outcome = await runtime.run_to_completion(init(), 300)
    assert isinstance(outcome, Exited)
    assert outcome.finished_at_s - outcome.started_at_s == pytest.approx(60)


@virtually
async def test_a_reboot_ends_everything_and_leaves_the_records() -> None:
    runtime = simulated(ImageScript())
    await runtime.pull_image(PLAIN)
    await runtime.ensure_service_running(service())
    runtime.power_off()
    seen = await runtime.container_status(service().key)
    assert seen is not None
    assert seen.state is RunState.EXITED
