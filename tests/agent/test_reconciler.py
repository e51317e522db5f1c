"""One device's deployments over hours of made-up time: what runs, in which order, what is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fleet_agent.runtime.behaviour import Behaviour, ImageBehaviour, ImageScript
from fleet_agent.runtime.contract import ContainerKey, RunState
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import ManifestEntry
from fleet_core.contracts.scores import spec_hash
from fleet_core.contracts.states import Phase
from fleet_core.errors import InvalidInputError, NotFoundError
from tests.agent.bench import MIGRATE, SEED, WEB, Bench, shop
from tests.support.virtual_time import virtually


@virtually
async def test_init_containers_succeed_in_order_before_the_service_starts() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=30), SEED: Behaviour(run_s=30)}))
    async with bench.running():
        bench.want(score=shop(MIGRATE, SEED))
        await asyncio.sleep(20)
        assert bench.sink.last().reason == "Init:0/2"
        assert await bench.service() is None
        await asyncio.sleep(20)
        assert bench.sink.last().reason == "Init:1/2"
        await asyncio.sleep(40)
        state = bench.sink.last()
        assert (state.phase, state.reason) == (Phase.RUNNING, "Running")
        assert [each.name for each in state.init_container_statuses] == ["migrate", "seed"]
        ended = state.init_container_statuses[0].state.terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (0, "Completed")
        assert state.generation == bench.generation


@virtually
async def test_a_failing_init_container_backs_off_and_holds_the_service_back() -> None:
    failing = Behaviour(run_s=1, exit_code=3, last_words=("no route to host db",))
    bench = Bench(ImageScript(containers={MIGRATE: failing}))
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(1_000)
        state = bench.sink.last()
        assert state.reason == "Init:CrashLoopBackOff"
        assert state.failure is not None
        assert (state.failure.container, state.failure.init) == ("migrate", True)
        assert (state.failure.cause, state.failure.exit_code) == ("Error", 3)
        assert "no route to host db" in state.failure.log
        assert await bench.service() is None
        # Again at once, then after 10, 20, 40, 80, 160, 300 and 300 s.
        assert state.restart_count == 8


@virtually
async def test_an_init_container_that_mends_itself_lets_the_service_start() -> None:
    class Mends:
        def image(self, _image: str) -> ImageBehaviour:
            return ImageBehaviour()

        def container(self, spec: Any) -> Behaviour:
            if spec.key.container != "migrate":
                return Behaviour()
            return Behaviour(run_s=1, exit_code=0 if spec.attempt >= 2 else 3)

    bench = Bench(ImageScript())
    bench.runtime = SimulatedRuntime(Mends(), clock=bench.clock)
    bench.start_agent("boot-1")
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(60)
        assert bench.sink.last().phase is Phase.RUNNING
        assert bench.sink.last().failure is None


@virtually
async def test_a_timeout_is_told_as_one() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=10_000, log=("12 %",))}))
    async with bench.running():
        bench.want(score=shop(MIGRATE, timeout=60))
        await asyncio.sleep(65)
        state = bench.sink.last()
        assert state.failure is not None
        assert state.failure.cause == "InitTimeout"
        assert "12 %" in state.failure.log


@virtually
async def test_a_new_spec_replaces_the_old_and_breaks_off_what_it_was_doing() -> None:
    slow = "registry.example/migrate:slow"
    bench = Bench(ImageScript(containers={slow: Behaviour(run_s=10_000)}))
    async with bench.running():
        bench.want(score=shop(slow))
        await asyncio.sleep(10)
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(10)
        state = bench.sink.last()
        assert state.phase is Phase.RUNNING
        assert state.spec_hash == spec_hash(shop(MIGRATE))
        assert len(await bench.runtime.list_init_containers()) == 1


@virtually
async def test_a_name_that_cannot_be_pulled_does_not_stop_what_works() -> None:
    missing = "registry.example/web:none"
    bench = Bench(ImageScript(images={missing: ImageBehaviour(missing=True)}))
    async with bench.running():
        bench.want()
        await asyncio.sleep(5)
        before = await bench.service()
        bench.want(score=shop(image=missing))
        await asyncio.sleep(100)
        state = bench.sink.last()
        assert state.reason in {"ErrImagePull", "ImagePullBackOff"}
        after = await bench.service()
        assert after.container_id == before.container_id
        assert after.state is RunState.RUNNING


@virtually
async def test_a_crashing_service_is_restarted_with_back_off() -> None:
    bench = Bench(ImageScript(containers={WEB: Behaviour(run_s=1, exit_code=1)}))
    async with bench.running():
        bench.want()
        await asyncio.sleep(200)
        assert "CrashLoopBackOff" in bench.sink.reasons()
        assert bench.sink.last().restart_count == 5  # after 0, 10, 20, 40, 80 s


@virtually
async def test_what_somebody_removes_by_hand_is_put_back() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want()
        await asyncio.sleep(5)
        await bench.runtime.remove(ContainerKey("shop", "web"))
        await asyncio.sleep(90)
        assert (await bench.service()).state is RunState.RUNNING


@virtually
async def test_what_the_manifest_no_longer_names_is_removed_and_its_state_too() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want("shop")
        bench.want("metrics")
        await asyncio.sleep(5)
        bench.drop("shop")
        await asyncio.sleep(20)
        assert await bench.service(deployment="shop") is None
        assert (await bench.service(deployment="metrics")).state is RunState.RUNNING
        assert bench.sink.deleted == ["shop"]
        with pytest.raises(NotFoundError):
            bench.reconciler.desired("shop")


@virtually
async def test_without_a_manifest_nothing_is_stopped() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want()
        await asyncio.sleep(5)
    before = await bench.service()
    bench.start_agent("boot-1")
    async with bench.running():
        await asyncio.sleep(10_000)
        after = await bench.service()
        assert after.container_id == before.container_id
        assert after.state is RunState.RUNNING


@virtually
async def test_a_restarted_agent_takes_over_what_runs_and_repeats_no_init() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(5)
    before = await bench.service()
    bench.start_agent("boot-1")
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(5)
        assert bench.sink.last().phase is Phase.RUNNING
        assert (await bench.service()).container_id == before.container_id


@virtually
async def test_a_reboot_runs_the_init_containers_again() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(5)
    before = await bench.runtime.container_status(ContainerKey("shop", "migrate"))
    bench.runtime.power_off()
    bench.start_agent("boot-2")
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(5)
        after = await bench.runtime.container_status(ContainerKey("shop", "migrate"))
        assert before is not None
        assert after is not None
        assert after.container_id != before.container_id
        assert bench.sink.last().phase is Phase.RUNNING


@virtually
async def test_starting_over_runs_everything_again_with_the_same_spec() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want(score=shop(MIGRATE))
        await asyncio.sleep(5)
        before = await bench.service()
        assert bench.reconciler.start_over("shop") == bench.generation
        await asyncio.sleep(20)
        assert (await bench.service()).container_id != before.container_id
        assert bench.sink.last().phase is Phase.RUNNING
        with pytest.raises(NotFoundError):
            bench.reconciler.start_over("nothing")


@virtually
async def test_a_refused_score_is_told_and_what_ran_before_goes_on() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want()
        await asyncio.sleep(5)
        before = await bench.service()
        entry = ManifestEntry(generation=7, spec_hash="f" * 16)
        error = InvalidInputError("services: missing", path="services", expected="a list")
        bench.reconciler.on_refused("shop", entry, error)
        await asyncio.sleep(5)
        state = bench.sink.last()
        assert (state.phase, state.reason) == (Phase.FAILED, "InvalidSpec")
        assert "services: missing" in (state.last_error or "")
        assert state.generation == 7
        assert (await bench.service()).container_id == before.container_id
        assert bench.reconciler.refused == 1


@virtually
async def test_a_refused_score_is_told_too_where_the_removal_was_still_under_way() -> None:
    bench = Bench(ImageScript(containers={WEB: Behaviour(ignores_term=True)}))
    async with bench.running():
        bench.want()
        await asyncio.sleep(5)
        bench.drop("shop")
        await asyncio.sleep(5)
        entry = ManifestEntry(generation=7, spec_hash="f" * 16)
        error = InvalidInputError("services: missing", path="services", expected="a list")
        bench.reconciler.on_refused("shop", entry, error)
        await asyncio.sleep(20)
        assert await bench.service() is None
        assert (bench.sink.last().reason, bench.sink.last().generation) == ("InvalidSpec", 7)
        bench.want()
        await asyncio.sleep(5)
        assert bench.sink.last().phase is Phase.RUNNING


@virtually
async def test_one_deployment_does_not_wait_for_another() -> None:
    slow = "registry.example/slow:1"
    bench = Bench(ImageScript(images={slow: ImageBehaviour(pull_s=3_000)}))
    async with bench.running():
        bench.want("slow", shop(image=slow))
        bench.want("quick")
        await asyncio.sleep(5)
        assert bench.sink.last("quick").phase is Phase.RUNNING
        assert bench.sink.last("slow").phase is Phase.PENDING


@virtually
async def test_nothing_is_told_twice_and_an_idle_device_is_silent() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        bench.want()
        await asyncio.sleep(60)
        told = [encode(state) for state in bench.sink.states["shop"]]
        assert len(told) == len(set(told))
        await asyncio.sleep(10 * 3_600)
        assert len(bench.sink.states["shop"]) == len(told)
