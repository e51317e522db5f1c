"""When containers are checked, and what is told of them, over hours of made-up time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent.health.checks import CheckResult
from fleet_agent.health.monitor import HealthMonitor, Running, ServiceHealth
from fleet_agent.health.probing import NOT_STARTED, UNPROBED
from fleet_agent.health.watch import MAX_PARALLEL_CHECKS, OVERTIME_S, SPREAD_S
from fleet_agent.runtime.contract import ContainerKey, RuntimeUnavailableError
from fleet_core.contracts.probes import Health, Probe, TcpCheck
from tests.support.virtual_time import VirtualClock, virtually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

WEB = ContainerKey("shop", "web")
STARTUP, LIVENESS, READINESS = 1, 2, 3
"""The ports by which the tests tell the probes apart."""
GOOD, BAD = CheckResult(succeeded=True), CheckResult(succeeded=False, message="no")
STARTED = ServiceHealth(started=True, ready=False)


def probe(port: int, **timing: Any) -> Probe:
    return Probe(tcp=TcpCheck(port=port), **timing)


class Bench:
    """A monitor in made-up time, the checks that it does, and the hints that it gives."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.monitor = HealthMonitor(self.clock, self._check, self._changed)
        self.answers: dict[int, CheckResult | Exception] = {}
        """By port; a success where there is none."""
        self.asked: list[tuple[int, float]] = []
        """Port and moment of each check."""
        self.hints: list[tuple[str, float]] = []
        self.does: Callable[[int], Awaitable[Any]] | None = None
        """What a check does before it answers."""

    async def _check(self, _key: ContainerKey, asked: Probe) -> CheckResult:
        assert asked.tcp is not None
        port = asked.tcp.port
        self.asked.append((port, self.clock.monotonic()))
        if self.does is not None:
            await self.does(port)
        answer = self.answers.get(port, GOOD)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _changed(self, deployment: str) -> None:
        self.hints.append((deployment, self.clock.monotonic()))

    def follow(self, *probes: Probe, identity: str = "a", **changes: Any) -> None:
        """Follow the one container of the shop, with these probes by their ports."""
        names = {STARTUP: "startup", LIVENESS: "liveness", READINESS: "readiness"}
        health = Health(**{names[each.tcp.port]: each for each in probes if each.tcp})
        running = Running(identity, health, changes.pop("since", self.clock.monotonic()), **changes)
        self.monitor.follow("shop", {WEB: running})

    @property
    def health(self) -> ServiceHealth:
        return self.monitor.of(WEB, "a")

    def moments(self, port: int) -> list[float]:
        return [moment for asked, moment in self.asked if asked == port]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A bench; when it is closed no task is left."""
    before = asyncio.all_tasks()
    made = Bench()
    yield made
    await made.monitor.close()
    assert asyncio.all_tasks() == before


@virtually
async def test_the_first_check_waits_for_its_delay_and_the_others_for_the_period() -> None:
    async with bench() as b:
        await asyncio.sleep(100)
        b.follow(probe(READINESS, initial_delay_s=7, period_s=5), since=98.0)
        await asyncio.sleep(21)
    assert b.moments(READINESS) == [105, 110, 115, 120]


@virtually
async def test_without_a_delay_a_new_container_is_checked_at_once() -> None:
    async with bench() as b:
        b.follow(probe(READINESS))
        assert b.health == STARTED
        await asyncio.sleep(0.01)
        assert b.health == UNPROBED
    assert b.moments(READINESS) == [0]
    assert b.hints == [("shop", 0)]


@virtually
async def test_checks_that_were_due_long_ago_are_spread() -> None:
    async with bench() as b:
        await asyncio.sleep(1_000)
        shops = [ContainerKey("shop", f"web-{index}") for index in range(50)]
        health = Health(readiness=probe(READINESS))
        b.monitor.follow("shop", {key: Running("a", health, 3.0) for key in shops})
        await asyncio.sleep(SPREAD_S)
    moments = b.moments(READINESS)
    assert len(moments) == len(set(moments)) == 50
    assert 1_000 <= min(moments) < 1_000 + SPREAD_S / 2 < max(moments) <= 1_000 + SPREAD_S


@virtually
async def test_a_start_in_the_future_counts_as_now() -> None:
    async with bench() as b:
        b.follow(probe(READINESS, initial_delay_s=5), since=86_400.0)
        await asyncio.sleep(6)
    assert b.moments(READINESS) == [5]


@virtually
async def test_nothing_else_is_asked_before_startup_has_succeeded() -> None:
    async with bench() as b:
        b.answers[STARTUP] = BAD
        b.follow(probe(STARTUP, period_s=3, failure_threshold=9), probe(LIVENESS), probe(READINESS))
        await asyncio.sleep(7)
        said = "Startup probe failed: no"
        assert b.health == ServiceHealth(started=False, ready=False, not_ready=said)
        b.answers[STARTUP] = GOOD
        await asyncio.sleep(30)
        assert b.health == UNPROBED
    assert b.moments(STARTUP) == [0, 3, 6, 9]
    # Due since 0, asked at once when it may be, and then on the ticks of its own period.
    assert b.moments(LIVENESS) == b.moments(READINESS) == [9, 10, 20, 30]


@virtually
async def test_a_startup_that_fails_too_often_is_to_be_killed_and_left_alone() -> None:
    async with bench() as b:
        b.answers[STARTUP] = BAD
        b.follow(probe(STARTUP, period_s=1), probe(LIVENESS))
        await asyncio.sleep(100)
        assert b.health.unhealthy == "Startup probe failed: no"
        assert not b.health.started
    assert b.asked == [(STARTUP, 0), (STARTUP, 1), (STARTUP, 2)]


@virtually
async def test_liveness_that_fails_is_asked_again_in_a_new_container_only() -> None:
    async with bench() as b:
        b.follow(probe(LIVENESS), probe(READINESS))
        await asyncio.sleep(5)
        b.answers[LIVENESS] = BAD
        await asyncio.sleep(24.9)
        assert b.health == UNPROBED
        await asyncio.sleep(100)
        said = "Liveness probe failed: no"
        assert b.health == ServiceHealth(started=True, ready=True, unhealthy=said)
        assert b.moments(LIVENESS) == [0, 10, 20, 30]
        assert b.hints == [("shop", 0), ("shop", 30)]
        assert len(b.moments(READINESS)) == 13
        b.answers[LIVENESS] = GOOD
        b.follow(probe(LIVENESS), identity="b")
        await asyncio.sleep(1)
        assert b.monitor.of(WEB, "b") == UNPROBED
        assert b.health == NOT_STARTED
    assert b.moments(LIVENESS)[4:] == [129.9]


@virtually
async def test_readiness_comes_and_goes_and_each_change_is_told_of_once() -> None:
    async with bench() as b:
        b.follow(probe(READINESS, period_s=1, success_threshold=2))
        await asyncio.sleep(1.5)
        assert b.health.ready
        b.answers[READINESS] = BAD
        await asyncio.sleep(10)
        assert b.health.not_ready == "Readiness probe failed: no"
        b.answers[READINESS] = GOOD
        await asyncio.sleep(10)
        assert b.health == UNPROBED
    assert [moment for _, moment in b.hints] == [1, 4, 13]


@virtually
async def test_a_slow_readiness_check_does_not_hold_up_liveness() -> None:
    async with bench() as b:

        async def dawdle(port: int) -> None:
            await asyncio.sleep(25.0 if port == READINESS else 0.0)

        b.does = dawdle
        b.follow(probe(LIVENESS), probe(READINESS, timeout_s=30))
        await asyncio.sleep(59)
    assert b.moments(LIVENESS) == [0, 10, 20, 30, 40, 50]
    # Made up for at once, since the ticks at 10 and 20 fell into the check: and so on.
    assert b.moments(READINESS) == [0, 25, 50]


@virtually
async def test_a_container_that_is_followed_already_goes_on_undisturbed() -> None:
    async with bench() as b:
        for _ in range(50):
            b.follow(probe(READINESS, period_s=10), since=0.0)
            await asyncio.sleep(0.9)
    assert b.moments(READINESS) == [0, 10, 20, 30, 40]
    assert b.hints == [("shop", 0)]


@virtually
async def test_what_is_no_longer_given_is_no_longer_checked() -> None:
    async with bench() as b:
        b.follow(probe(READINESS))
        other = ContainerKey("till", "web")
        health = Health(liveness=probe(LIVENESS))
        b.monitor.follow("till", {other: Running("t", health, b.clock.monotonic())})
        await asyncio.sleep(15)
        b.monitor.forget("shop")
        assert b.health == NOT_STARTED
        await asyncio.sleep(10)
        assert b.monitor.of(other, "t") == UNPROBED
    assert b.moments(READINESS) == [0, 10]
    assert b.moments(LIVENESS) == [0, 10, 20]


@virtually
async def test_without_health_checks_a_followed_container_is_ready() -> None:
    async with bench() as b:
        b.monitor.follow("shop", {WEB: Running("a", None, 0.0)})
        assert b.health == UNPROBED
        assert b.monitor.of(WEB, "b") == NOT_STARTED
        assert b.monitor.of(ContainerKey("shop", "db"), "a") == NOT_STARTED
        assert len(asyncio.all_tasks()) == 1


@virtually
async def test_after_a_restart_of_the_agent_what_was_ready_stays_so_until_a_check_fails() -> None:
    async with bench() as b:
        await asyncio.sleep(500)
        b.answers[READINESS] = BAD
        b.follow(probe(STARTUP), probe(READINESS, period_s=1), since=10.0, assume_started=True)
        assert b.health == UNPROBED
        await asyncio.sleep(1.99)
        assert b.health == UNPROBED
        await asyncio.sleep(1.02)
        assert not b.health.ready
        assert b.health.started
    assert not b.moments(STARTUP)


@virtually
async def test_a_runtime_that_does_not_answer_says_nothing_of_the_container() -> None:
    async with bench() as b:
        b.follow(probe(LIVENESS, period_s=1), probe(READINESS, period_s=1))
        await asyncio.sleep(0.5)
        b.answers = dict.fromkeys((LIVENESS, READINESS), RuntimeUnavailableError("it is away"))
        await asyncio.sleep(3_600)
        assert b.health == UNPROBED
    assert b.hints == [("shop", 0)]
    assert len(b.moments(LIVENESS)) == 3_601


@pytest.mark.parametrize("error", [ValueError("a bug"), asyncio.CancelledError("not ours")])
def test_a_check_that_raises_has_failed_and_is_told_of_once(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    @virtually
    async def scenario() -> None:
        async with bench() as b:
            b.answers[READINESS] = error  # type: ignore[assignment]  # raised as it is
            b.follow(probe(READINESS))
            await asyncio.sleep(95)
            said = f"Readiness probe failed: {type(error).__name__}: {error}"
            assert b.health.not_ready == said
            b.answers[READINESS] = GOOD
            await asyncio.sleep(10)
            assert b.health == UNPROBED

    scenario()
    assert [record.message for record in caplog.records] == [
        f"{WEB.runtime_name}: its readiness check raised"
    ]


def test_who_takes_no_hint_does_not_end_the_probe(caplog: pytest.LogCaptureFixture) -> None:
    @virtually
    async def scenario() -> None:
        async with bench() as b:

            def raises(_deployment: str) -> None:
                raise ValueError("a bug")

            b.monitor = HealthMonitor(b.clock, b._check, raises)
            b.follow(probe(READINESS))
            await asyncio.sleep(25)
            assert b.health == UNPROBED
            assert b.moments(READINESS) == [0, 10, 20]
            await b.monitor.close()

    scenario()
    assert "the hint was not taken" in caplog.text


@virtually
async def test_few_checks_run_at_a_time_and_each_has_its_whole_timeout() -> None:
    async with bench() as b:
        running, most = 0, 0

        async def take_a_while(_port: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1 + OVERTIME_S - 0.1)
            running -= 1

        b.does = take_a_while
        keys = [ContainerKey("shop", f"web-{index}") for index in range(3 * MAX_PARALLEL_CHECKS)]
        health = Health(readiness=probe(READINESS, period_s=1_000))
        b.monitor.follow("shop", {key: Running("a", health, 0.0) for key in keys})
        await asyncio.sleep(100)
        assert most == MAX_PARALLEL_CHECKS
        assert all(b.monitor.of(key, "a").ready for key in keys)
    assert len(b.asked) == len(keys)


@virtually
async def test_a_check_without_an_end_is_broken_off_and_has_failed() -> None:
    async with bench() as b:

        async def hang(_port: int) -> None:
            await asyncio.sleep(1e9)

        b.does = hang
        b.follow(probe(LIVENESS, timeout_s=2, failure_threshold=1))
        await asyncio.sleep(2 + OVERTIME_S - 0.1)
        assert not b.health.unhealthy
        await asyncio.sleep(0.2)
        assert b.health.unhealthy.startswith("Liveness probe failed: TimeoutError")


@virtually
async def test_a_check_that_swallows_its_cancellation_is_the_last_of_its_container() -> None:
    async with bench() as b:

        async def stubborn(_port: int) -> None:
            try:
                await asyncio.sleep(4)
            except asyncio.CancelledError:
                await asyncio.sleep(1)

        b.does = stubborn
        b.follow(probe(LIVENESS), probe(READINESS))
        await asyncio.sleep(1)
        b.monitor.forget("shop")
        await asyncio.sleep(100)
        assert len(asyncio.all_tasks()) == 1
        assert not b.hints
    assert len(b.asked) == 2


@virtually
async def test_a_closed_monitor_leaves_no_task_and_starts_none() -> None:
    async with bench() as b:
        b.follow(probe(STARTUP), probe(LIVENESS), probe(READINESS))
        await asyncio.sleep(1)
        await b.monitor.close()
        assert len(asyncio.all_tasks()) == 1
        b.follow(probe(READINESS))
        assert b.health == NOT_STARTED
        assert len(asyncio.all_tasks()) == 1
        await b.monitor.close()


@virtually
async def test_a_dropped_container_gives_its_turn_back() -> None:
    async with bench() as b:

        async def hang(_port: int) -> None:
            await asyncio.sleep(5)

        b.does = hang
        keys = [ContainerKey("shop", f"web-{index}") for index in range(2 * MAX_PARALLEL_CHECKS)]
        health = Health(readiness=probe(READINESS))
        b.monitor.follow("shop", {key: Running("a", health, 0.0) for key in keys})
        await asyncio.sleep(1)
        b.monitor.forget("shop")
        b.does = None
        b.follow(probe(READINESS))
        await asyncio.sleep(1)
        assert b.health == UNPROBED
    assert len(b.asked) == MAX_PARALLEL_CHECKS + 1


def test_the_container_may_be_dropped_by_who_is_told_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtually
    async def scenario() -> None:
        async with bench() as b:

            def forget(deployment: str) -> None:
                b.monitor.forget(deployment)

            b.monitor = HealthMonitor(b.clock, b._check, forget)
            b.follow(probe(STARTUP), probe(READINESS))
            await asyncio.sleep(100)
            assert len(asyncio.all_tasks()) == 1
            assert b.asked == [(STARTUP, 0)]

    scenario()
    assert not caplog.records
