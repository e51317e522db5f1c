"""Updates without regret, over made-up time: what goes on serving, what is given up, and why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleet_agent.runtime.behaviour import Behaviour, ImageBehaviour, ImageScript
from fleet_agent.runtime.contract import RunState
from fleet_core.contracts.scores import spec_hash
from fleet_core.contracts.states import Phase
from tests.agent.bench import MIGRATE, WEB, Bench, shop
from tests.support.virtual_time import virtually

if TYPE_CHECKING:
    from fleet_core.contracts.scores import Score

NEW = "registry.example/web:2"
SLOW_PULL = "registry.example/web:far"
HEALTH = {"readiness": {"tcp": {"port": 80}, "period_s": 5, "failure_threshold": 1}}
DEADLINE_S = 60


def version(image: str = WEB, *inits: str, **changes: Any) -> Score:
    return shop(*inits, image=image, **{"progress_deadline_s": DEADLINE_S, **changes})


def healthy(image: str, health: dict[str, Any], **changes: Any) -> Score:
    services = [{"name": "web", "image": image, "health": health}]
    return version(image, services=services, **changes)


async def proven(bench: Bench, score: Score | None = None) -> Any:
    """Have a version run until it has proved itself; returns its container."""
    bench.want(score=score or version())
    await asyncio.sleep(30)
    assert bench.sink.last().phase is Phase.RUNNING
    return await bench.service()


@virtually
async def test_the_old_version_serves_until_the_new_one_has_initialised() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=40)}))
    async with bench.running():
        old = await proven(bench)
        bench.want(score=version(NEW, MIGRATE))
        await asyncio.sleep(30)
        serving = await bench.service()
        assert (serving.container_id, serving.state) == (old.container_id, RunState.RUNNING)
        assert bench.sink.last().reason == "Init:0/1"
        await asyncio.sleep(20)
        assert (await bench.service()).image == NEW
        assert bench.sink.last().phase is Phase.RUNNING


@virtually
async def test_a_version_that_cannot_initialise_is_given_up_and_nothing_is_touched() -> None:
    failing = Behaviour(run_s=1, exit_code=3, last_words=("no route to host db",))
    bench = Bench(ImageScript(containers={MIGRATE: failing}))
    async with bench.running():
        old = await proven(bench)
        bad = version(NEW, MIGRATE)
        bench.want(score=bad)
        await asyncio.sleep(DEADLINE_S - 5)
        assert bench.sink.last().reason == "Init:CrashLoopBackOff"
        await asyncio.sleep(20)
        state = bench.sink.last()
        assert (state.phase, state.reason) == (Phase.FAILED, "RolledBack")
        assert (state.generation, state.spec_hash) == (bench.generation, spec_hash(bad))
        assert "made no progress for 60 s: init container migrate exited 3" in str(state.last_error)
        assert state.failure is not None
        assert (state.failure.container, state.failure.exit_code) == ("migrate", 3)
        assert "no route to host db" in state.failure.log
        assert (await bench.service()).container_id == old.container_id
        assert await bench.runtime.list_init_containers() == []
        told = len(bench.sink.states["shop"])
        await asyncio.sleep(3_600)
        assert len(bench.sink.states["shop"]) == told
        assert (await bench.service()).container_id == old.container_id


@virtually
async def test_a_version_that_crashes_is_replaced_by_the_last_good_one() -> None:
    bench = Bench(ImageScript(containers={NEW: Behaviour(run_s=2, exit_code=1)}))
    async with bench.running():
        await proven(bench, version(WEB, MIGRATE))
        bench.want(score=version(NEW, MIGRATE))
        await asyncio.sleep(20)
        assert (await bench.service()).image == NEW
        await asyncio.sleep(100)
        back = await bench.service()
        assert (back.image, back.state) == (WEB, RunState.RUNNING)
        assert bench.sink.last().reason == "RolledBack"
        assert len(await bench.runtime.list_managed_services()) == 1
        # It is another Pod: its init containers ran again.
        (init,) = await bench.runtime.list_init_containers()
        assert init.spec_hash == spec_hash(version(WEB, MIGRATE))


@virtually
async def test_it_is_not_given_up_where_that_is_not_wanted() -> None:
    bench = Bench(ImageScript(containers={NEW: Behaviour(run_s=2, exit_code=1)}))
    async with bench.running():
        await proven(bench)
        bench.want(score=version(NEW, rollback="never"))
        await asyncio.sleep(1_000)
        assert (await bench.service()).image == NEW
        assert bench.sink.last().reason == "CrashLoopBackOff"


@virtually
async def test_a_first_version_has_nothing_to_fall_back_to() -> None:
    bench = Bench(ImageScript(containers={NEW: Behaviour(run_s=2, exit_code=1)}))
    async with bench.running():
        bench.want(score=version(NEW))
        await asyncio.sleep(1_000)
        assert bench.sink.last().reason == "CrashLoopBackOff"


@virtually
async def test_a_version_whose_policy_gives_up_is_given_up_at_once() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=1, exit_code=3)}))
    async with bench.running():
        old = await proven(bench)
        bench.want(score=version(NEW, MIGRATE, restart_policy="Never"))
        await asyncio.sleep(5)
        assert bench.sink.last().reason == "RolledBack"
        assert (await bench.service()).container_id == old.container_id


@virtually
async def test_a_version_that_never_gets_ready_is_given_up_and_its_probe_is_told() -> None:
    bench = Bench(ImageScript(containers={NEW: Behaviour(healthy_after_s=10_000)}))
    async with bench.running():
        await proven(bench)
        bench.want(score=healthy(NEW, HEALTH))
        await asyncio.sleep(20)
        state = bench.sink.last()
        assert (state.phase, state.reason) == (Phase.PENDING, "ContainersNotReady")
        assert not state.container_statuses[0].ready
        assert state.failure is not None
        assert state.failure.cause == "Unhealthy"
        assert "Readiness probe failed" in state.failure.log
        await asyncio.sleep(DEADLINE_S)
        assert bench.sink.last().reason == "RolledBack"
        assert "Readiness probe failed" in str(bench.sink.last().last_error)
        assert (await bench.service()).image == WEB


@virtually
async def test_only_ten_seconds_of_readiness_prove_a_version() -> None:
    bench = Bench(ImageScript(containers={WEB: Behaviour(run_s=8, exit_code=1)}))
    async with bench.running():
        bench.want(score=version(WEB))
        await asyncio.sleep(7)
        assert bench.sink.last().phase is Phase.RUNNING
        await asyncio.sleep(100)
        bench.want(score=version(NEW, rollback="auto", env_of_nobody=1))
        await asyncio.sleep(5)
        assert (await bench.service()).image == NEW
        assert bench.sink.last().reason == "Running"


@virtually
async def test_time_spent_on_images_does_not_count() -> None:
    script = ImageScript(images={SLOW_PULL: ImageBehaviour(pull_s=1_000)})
    bench = Bench(script)
    async with bench.running():
        old = await proven(bench)
        bench.want(score=version(SLOW_PULL))
        await asyncio.sleep(900)
        assert (await bench.service()).container_id == old.container_id
        assert bench.sink.last().phase is Phase.PENDING
        await asyncio.sleep(200)
        assert (await bench.service()).image == SLOW_PULL
        assert bench.sink.last().phase is Phase.RUNNING


@virtually
async def test_that_an_image_is_being_pulled_is_told() -> None:
    bench = Bench(ImageScript(images={SLOW_PULL: ImageBehaviour(pull_s=100)}))
    async with bench.running():
        bench.want(score=version(SLOW_PULL))
        await asyncio.sleep(20)
        waiting = bench.sink.last().container_statuses[0].state.waiting
        assert waiting is not None
        assert (waiting.reason, waiting.message) == ("ContainerCreating", "pulling")
        await asyncio.sleep(100)
        assert bench.sink.last().reason == "Running"


@virtually
async def test_a_long_init_container_has_its_own_time() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=200)}))
    async with bench.running():
        await proven(bench)
        bench.want(score=version(NEW, MIGRATE))  # its timeout is 300 s
        await asyncio.sleep(230)
        assert bench.sink.last().reason == "Running"
        assert (await bench.service()).image == NEW


@virtually
async def test_a_given_up_version_is_tried_again_where_somebody_asks() -> None:
    class Mends:
        mended = False

        def image(self, _image: str) -> ImageBehaviour:
            return ImageBehaviour()

        def container(self, spec: Any) -> Behaviour:
            if spec.key.container != "migrate":
                return Behaviour()
            return Behaviour(run_s=1, exit_code=0 if self.mended else 3)

    script = Mends()
    bench = Bench(script)  # type: ignore[arg-type]  # any script will do
    async with bench.running():
        await proven(bench)
        bench.want(score=version(NEW, MIGRATE))
        await asyncio.sleep(DEADLINE_S + 10)
        assert bench.sink.last().reason == "RolledBack"
        script.mended = True
        bench.reconciler.start_over("shop")
        await asyncio.sleep(20)
        assert bench.sink.last().reason == "Running"
        assert (await bench.service()).image == NEW


@virtually
async def test_wishing_for_what_runs_after_a_rollback_changes_no_container() -> None:
    bench = Bench(ImageScript(containers={MIGRATE: Behaviour(run_s=1, exit_code=3)}))
    async with bench.running():
        old = await proven(bench)
        bench.want(score=version(NEW, MIGRATE))
        await asyncio.sleep(DEADLINE_S + 10)
        bench.want(score=version())
        await asyncio.sleep(5)
        assert bench.sink.last().reason == "Running"
        assert bench.sink.last().failure is None
        assert (await bench.service()).container_id == old.container_id


@virtually
async def test_services_that_the_new_version_has_not_are_removed() -> None:
    bench = Bench(ImageScript())
    async with bench.running():
        both = [{"name": "web", "image": WEB}, {"name": "worker", "image": WEB}]
        await proven(bench, version(services=both))
        bench.want(score=version(NEW))
        await asyncio.sleep(10)
        (only,) = await bench.runtime.list_managed_services()
        assert (only.key.container, only.image) == ("web", NEW)


@virtually
async def test_a_dead_service_is_restarted_and_the_probe_is_told() -> None:
    bench = Bench(ImageScript(containers={WEB: Behaviour(unhealthy_after_s=100)}))
    health = {"liveness": {"tcp": {"port": 80}, "period_s": 10, "failure_threshold": 3}}
    async with bench.running():
        bench.want(score=healthy(WEB, health))
        await asyncio.sleep(60)
        first = await bench.service()
        await asyncio.sleep(80)
        second = await bench.service()
        assert first.container_id != second.container_id
        assert bench.sink.last().phase is Phase.RUNNING
        (told,) = bench.sink.last().container_statuses
        assert told.restart_count == 1
        assert told.last_state.terminated is not None
        assert "Liveness probe failed" in told.last_state.terminated.message


@virtually
async def test_readiness_that_comes_and_goes_is_told_and_restarts_nothing() -> None:
    bench = Bench(
        ImageScript(containers={WEB: Behaviour(healthy_after_s=30, unhealthy_after_s=200)})
    )
    async with bench.running():
        bench.want(score=healthy(WEB, HEALTH))
        await asyncio.sleep(25)
        first = await bench.service()
        assert bench.sink.last().reason == "ContainersNotReady"
        await asyncio.sleep(60)
        assert bench.sink.last().phase is Phase.RUNNING
        await asyncio.sleep(200)
        assert bench.sink.last().reason == "ContainersNotReady"
        assert (await bench.service()).container_id == first.container_id
