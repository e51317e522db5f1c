"""The cases of init containers, as the kubelet would play them, written once for both runtimes.

Their numbers are those of the contract. Each is a coroutine that takes a `CaseBench`; `CASES` names
them, with how many times faster than the world their seconds pass on a real podman.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

import pytest

from fleet_agent.runtime.contract import ContainerKey, RunState
from fleet_core.contracts.scores import spec_hash
from fleet_core.contracts.states import Phase
from fleet_core.errors import NotFoundError
from tests.agent.case_bench import MISSING, WORKS, CaseBench, Does

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Case = Callable[[CaseBench], Coroutine[None, None, None]]

FAILS: Final = Does(run_s=0, exit_code=3, log=("no route to db",))
ENDS: Final = Does(run_s=1)
CASES: Final[dict[str, tuple[Case, float]]] = {}


def case(number: str, speed: float = 1.0) -> Callable[[Case], Case]:
    """Enter a case under its number."""

    def enter(play: Case) -> Case:
        CASES[f"{number} {play.__name__}"] = (play, speed)
        return play

    return enter


@case("IC01")
async def all_succeed_and_the_service_ends(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(
            score=bench.score(
                bench.init("first"),
                bench.init("second"),
                services=(bench.serves(does=ENDS),),
                restart_policy="Never",
            )
        )
        await bench.until_reason("Completed")
        state = bench.sink.last()
        assert state.phase is Phase.RUNNING
        for name in ("first", "second"):
            assert bench.status(name).ready
            assert bench.status(name).state.terminated is not None
        ended = bench.status("web").state.terminated
        assert ended is not None
        assert (ended.exit_code, ended.reason) == (0, "Completed")
        assert [len(bench.starts(name)) for name in ("first", "second", "web")] == [1, 1, 1]


@case("IC02")
async def all_succeed_and_the_service_stays_up(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first"), bench.init("second")))
        await bench.until_running()
        for name in ("first", "second"):
            ended = bench.status(name).state.terminated
            assert ended is not None
            assert (ended.exit_code, ended.reason) == (0, "Completed")
        assert bench.status("web").state.running is not None


@case("IC03", speed=10)
async def the_first_fails_and_everything_behind_it_waits(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first", FAILS), bench.init("second")))
        await bench.until(lambda: bench.state() and bench.status("first").restart_count == 3, 90)
        for state in bench.sink.states["shop"]:
            (second,) = state.init_container_statuses[1:]
            for status in (second, *state.container_statuses):
                assert status.state.waiting is not None
                assert status.state.waiting.reason == "PodInitializing"
            assert state.phase is Phase.PENDING
            assert state.reason in {"Init:0/2", "Init:Error", "Init:CrashLoopBackOff"}
        state = bench.sink.last()
        assert "containers with incomplete status: [first second]" in str(state.last_error)
        assert state.failure is not None
        assert (state.failure.container, state.failure.init) == ("first", True)
        assert (state.failure.cause, state.failure.exit_code) == ("Error", 3)
        assert "no route to db" in state.failure.log
        assert {name for _, name, _ in bench.told()} == {"first"}


@case("IC04")
async def the_second_fails_and_the_policy_gives_up(bench: CaseBench) -> None:
    async with bench.running():
        score = bench.score(
            bench.init("first"), bench.init("second", FAILS), restart_policy="Never"
        )
        bench.want(score=score)
        await bench.until(lambda: bench.state() and bench.sink.last().phase is Phase.FAILED)
        assert bench.sink.last().reason == "Init:Error"
        assert "init container second exited 3" in str(bench.sink.last().last_error)
        await asyncio.sleep(3)
        assert [len(bench.starts(name)) for name in ("first", "second", "web")] == [1, 1, 0]


@case("IC05")
async def they_run_one_after_another(bench: CaseBench) -> None:
    async with bench.running():
        inits = [bench.init(name, Does(run_s=0.5)) for name in ("first", "second", "third")]
        bench.want(score=bench.score(*inits))
        await bench.until_running()
        expected = [
            f"{name} {word}"
            for name in ("first", "second", "third")
            for word in ("Starting", "Exiting")
        ]
        await bench.until(lambda: "web Starting" in bench.order())
        assert bench.order() == [*expected, "web Starting"]
        reasons = bench.sink.reasons()
        places = [reasons.index(f"Init:{done}/3") for done in range(3)]
        assert places == sorted(places)


@case("IC08", speed=10)
async def an_image_that_does_not_exist_starts_nothing_and_stops_nothing(bench: CaseBench) -> None:
    async with bench.running():
        bench.want("older", bench.score())
        await bench.until(
            lambda: bench.state("older") and bench.sink.last("older").reason == "Running"
        )
        before = await bench.runtime.container_status(ContainerKey("older", "web"))
        missing = {"name": "first", "image": MISSING}
        bench.want("older", bench.score(missing))
        bench.want(score=bench.score(missing))
        # podman itself tries several times before it gives up.
        await bench.until_reason("Init:ImagePullBackOff", within_s=200)
        waiting = bench.status("first").state.waiting
        assert waiting is not None
        assert waiting.reason == "ImagePullBackOff"
        assert await bench.found() is None
        after = await bench.runtime.container_status(ContainerKey("older", "web"))
        assert before is not None
        assert after is not None
        assert (after.container_id, after.state) == (before.container_id, RunState.RUNNING)


@case("IC09", speed=10)
async def a_service_that_fails_runs_no_init_container_again(bench: CaseBench) -> None:
    async with bench.running():
        failing = bench.serves(does=Does(run_s=0, exit_code=255))
        bench.want(score=bench.score(bench.init("first"), services=(failing,)))
        await bench.until(lambda: len(bench.starts("web")) >= 4, 120)
        assert len(bench.starts("first")) == 1
        assert bench.status("first").ready


@case("IC10")
async def what_changes_only_in_its_metadata_is_left_alone(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first")))
        await bench.until_running()
        before = await bench.found()
        bench.want(score=bench.scores["shop"])
        await bench.until_running()
        after = await bench.found()
        assert before is not None
        assert after is not None
        assert before.container_id == after.container_id
        assert len(bench.starts("first")) == 1


@case("IC11")
async def a_new_spec_ends_the_init_container_that_runs(bench: CaseBench) -> None:
    async with bench.running():
        endless = bench.init("first", Does(run_s=100))
        bench.want(score=bench.score(endless))
        await bench.until(lambda: bench.starts("first"))
        old = await bench.found("first")
        bench.want(score=bench.score(bench.init("first", Does(run_s=0.5))))
        await bench.until_running()
        assert old is not None
        assert len(await bench.runtime.list_init_containers()) == 1
        new = await bench.found("first")
        assert new is not None
        assert (new.container_id != old.container_id, new.exit_code) == (True, 0)
        assert len(bench.starts("first")) == 2
        assert bench.order().index("web Starting") > bench.order().index("first Exiting")


@case("IC13")
async def after_a_reboot_all_of_them_run_again_in_order(bench: CaseBench) -> None:
    bench.want(score=bench.score(bench.init("first"), bench.init("second")))
    async with bench.running():
        await bench.until_running()
    await bench.power_off()
    bench.start_agent("boot-2")
    bench.want(score=bench.scores["shop"])
    async with bench.running():
        await bench.until_running()
        starts = [line for line in bench.order() if line.endswith("Starting")]
        once = ["first Starting", "second Starting", "web Starting"]
        assert starts == once * 2


@case("IC14, IC15")
async def after_a_restart_of_the_agent_nothing_is_touched(bench: CaseBench) -> None:
    score = bench.score(bench.init("first"))
    bench.want(score=score)
    async with bench.running():
        await bench.until_running()
    before = await bench.found()
    for records_left in (True, False):
        if not records_left:
            await bench.runtime.remove(ContainerKey("shop", "first"))
        bench.start_agent("boot-1")
        bench.want(score=score)
        async with bench.running():
            await bench.until_running()
            await asyncio.sleep(1)
            after = await bench.found()
            assert before is not None
            assert after is not None
            assert after.container_id == before.container_id
            assert bench.status("first").ready
            assert len(bench.starts("first")) == 1


@case("IC16")
async def the_one_that_runs_is_adopted_by_the_next_agent(bench: CaseBench) -> None:
    score = bench.score(bench.init("first"), bench.init("long", Does(run_s=2)))
    bench.want(score=score)
    async with bench.running():
        await bench.until(lambda: bench.starts("long"))
    running = await bench.found("long")
    bench.start_agent("boot-1")
    bench.want(score=score)
    async with bench.running():
        await bench.until_running()
        adopted = await bench.found("long")
        assert running is not None
        assert adopted is not None
        assert adopted.container_id == running.container_id
        assert [len(bench.starts(name)) for name in ("first", "long")] == [1, 1]


@case("IC17", speed=25)
async def one_that_fails_at_once_is_restarted_ever_later(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first", FAILS)))
        await bench.until(lambda: len(bench.starts("first")) >= 7, 600)
        starts = bench.starts("first")[:7]
        waits = [later - earlier for earlier, later in itertools.pairwise(starts)]
        # A real container needs its time to start and to be seen to have ended.
        slack_s = 1.0 if type(bench).__name__ == "SimulatedBench" else 25.0
        for waited_s, expected_s in zip(waits, (0, 10, 20, 40, 80, 160), strict=True):
            assert expected_s - 1 <= waited_s <= expected_s + slack_s, waits


@case("IC22")
async def a_service_that_ignores_term_is_killed_after_its_grace(bench: CaseBench) -> None:
    async with bench.running():
        stubborn = bench.serves(does=Does(ignores_term=True), stop_grace_s=2)
        bench.want(score=bench.score(services=(stubborn,)))
        await bench.until_running()
        loop = asyncio.get_running_loop()
        dropped_at = loop.time()
        bench.drop("shop")
        await bench.until(lambda: "shop" in bench.sink.deleted)
        assert 2 <= loop.time() - dropped_at < 4
        assert await bench.found() is None


@case("IC25")
async def one_that_takes_too_long_is_removed_by_force(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first", Does(run_s=60), timeout=2)))
        await bench.until(lambda: bench.starts("first"))
        began = asyncio.get_running_loop().time()

        def told() -> bool:
            failure = bench.sink.last().failure
            return failure is not None and failure.cause == "InitTimeout"

        await bench.until(told)
        assert asyncio.get_running_loop().time() - began < 2.6
        assert "ran longer than its timeout of 2 s" in str(bench.sink.last().last_error)
        # The first retry comes at once.
        await bench.until(lambda: len(bench.starts("first")) == 2)
        assert bench.starts("web") == []


@case("IC26")
async def the_way_it_was_killed_is_told(bench: CaseBench) -> None:
    ways = {
        "term": (Does(run_s=0, signal=15), "Error", 143),
        "kill": (Does(run_s=0, signal=9), "Error", 137),
        "memory": (Does(run_s=0, oom=True), "OOMKilled", 137),
    }
    async with bench.running():
        for name, (does, _, _) in ways.items():
            bench.want(name, bench.score(bench.init("first", does), restart_policy="Never"))
        for name, (_, reason, exit_code) in ways.items():
            await bench.until(
                lambda name=name: bench.state(name) and bench.sink.last(name).phase is Phase.FAILED
            )
            failure = bench.sink.last(name).failure
            assert failure is not None
            known = reason != "OOMKilled" or bench.tells_of_oom(name)
            expected = reason if known else "Error"
            assert (failure.cause, failure.exit_code) == (expected, exit_code), name


@case("IC29", speed=4)
async def a_new_spec_ends_the_wait_at_once(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first", FAILS)))
        await bench.until(lambda: len(bench.starts("first")) == 2)
        await bench.until_reason("Init:CrashLoopBackOff")
        changed_at = asyncio.get_running_loop().time()
        bench.want(score=bench.score(bench.init("first", WORKS)))
        await bench.until_running()
        assert asyncio.get_running_loop().time() - changed_at < 9


@case("IC30")
async def what_is_deleted_while_one_runs_never_starts_its_service(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first", Does(run_s=100))))
        await bench.until(lambda: bench.starts("first"))
        bench.drop("shop")
        await bench.until(lambda: "shop" in bench.sink.deleted, 15)
        await asyncio.sleep(1)
        assert bench.starts("web") == []
        assert await bench.runtime.list_init_containers() == []


@case("point 6")
async def initialised_never_goes_back(bench: CaseBench) -> None:
    async with bench.running():
        bench.want(score=bench.score(bench.init("first")))
        await bench.until_running()
        told = len(bench.sink.states["shop"])
        await bench.runtime.remove(ContainerKey("shop", "first"))
        await bench.runtime.remove(ContainerKey("shop", "web"))
        await bench.until(lambda: len(bench.starts("web")) == 2)
        await bench.until_running()
        for state in bench.sink.states["shop"][told:]:
            assert state.init_container_statuses[0].ready
        assert len(bench.starts("first")) == 1


@case("point 11")
async def the_log_of_a_finished_one_stays_readable(bench: CaseBench) -> None:
    async with bench.running():
        talks = bench.init("first", Does(run_s=0, log=("schema is at 43",)))
        bench.want(score=bench.score(talks))
        await bench.until_running()
        key = ContainerKey("shop", "first")
        await bench.runtime.remove(key)
        with pytest.raises(NotFoundError):
            await bench.runtime.logs(key, tail=10)
        (saved,) = bench.saved_logs.runs(key)
        assert [line.text for line in saved.lines] == ["schema is at 43"]
        bench.want(score=bench.score(bench.init("first")))
        await bench.until_running()
        assert all(run.lines == () for run in bench.saved_logs.runs(key))


@case("point 12")
async def one_that_runs_once_per_version_is_left_out_after_a_reboot(bench: CaseBench) -> None:
    once = bench.init("once", run_policy="OncePerVersion")
    score = bench.score(bench.init("first"), once, bench.init("last"))
    bench.want(score=score)
    async with bench.running():
        await bench.until_running()
    await bench.power_off()
    bench.start_agent("boot-2", recalled=True)
    bench.want(score=score)
    async with bench.running():
        await bench.until_running()
        assert [len(bench.starts(name)) for name in ("first", "once", "last")] == [2, 1, 2]
        assert bench.status("once").ready
        changed = bench.score(bench.init("first"), {**once, "env": {"VERSION": "2"}})
        assert spec_hash(changed) != spec_hash(score)
        bench.want(score=changed)
        await bench.until_running()
        assert len(bench.starts("once")) == 2
