"""Asks the health checks of one running container when they are due, and keeps what they say.

One task per probe that is still asked, as the kubelet has one worker per probe: a slow readiness
check must not hold up liveness. The rules are those of `probing`.

The first check of a container that has just started comes when it is due, without jitter: starts
are spread by themselves. Only checks that were due long ago, as all are after a restart of the
agent, are spread, over a second. The kubelet, too, spreads checks only soon after its own start
(`worker.go`, `run`), over a whole period; but the longer the wait, the longer is told what may no
longer be so.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_agent.health.checks import CheckResult
from fleet_agent.health.probing import ProbeKind, ProbeState, service_health
from fleet_core.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_agent.runtime.contract import ContainerKey
    from fleet_core.clock import Clock
    from fleet_core.contracts.probes import Health, Probe

_log = logging.getLogger(__name__)
MAX_PARALLEL_CHECKS: Final = 8
"""On one device: it is small, and checks come in droves after a restart of the agent."""
SPREAD_S: Final = 1.0
"""Over this long are checks spread that were due longer ago than this; no period is shorter."""
OVERTIME_S: Final = 5.0
"""A check that has not ended so long after its own timeout is broken off."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running container of a service, as far as its health is concerned."""

    container_id: str
    health: Health | None
    started_at_monotonic_s: float
    assume_started: bool = False
    """It was ready before this agent looked: its startup probe counts as passed, and it is ready
    until a check says otherwise."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the watches of one device share."""

    clock: Clock
    check: Callable[[ContainerKey, Probe], Awaitable[CheckResult]]
    changed: Callable[[str], None]
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PARALLEL_CHECKS))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """All that have not ended yet, those of stopped watches as well."""


class ContainerWatch:
    """One container under watch, from its creation here until `stop`."""

    def __init__(self, key: ContainerKey, running: Running, shared: Shared) -> None:
        self.container_id = running.container_id
        self._key = key
        self._shared = shared
        self._probed = running.health
        self._states = _first_states(running, shared.clock.monotonic())
        self.health = service_health(running.health, self._states)
        """How the container stands now."""
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._told_of_bug = False
        self._begin(*(ProbeKind if self.health.started else (ProbeKind.STARTUP,)))

    def stop(self) -> None:
        """Break off all checks, without waiting for their tasks to end."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    def _begin(self, *kinds: ProbeKind) -> None:
        """Start the tasks of these probes, as far as the container has them."""
        for kind in filter(self._states.__contains__, kinds):
            task = asyncio.create_task(self._ask_on(kind))
            task.add_done_callback(self._shared.tasks.discard)
            task.add_done_callback(_tell_of_bug)
            self._shared.tasks.add(task)
            self._tasks.append(task)

    async def _ask_on(self, kind: ProbeKind) -> None:
        """Ask one probe whenever it is due, until it is settled or the watch is stopped.

        The latter is looked up each time: a check may swallow its cancellation.
        """
        clock = self._shared.clock
        while not self._stopped and (at_s := self._states[kind].next_at_s) is not None:
            await clock.sleep(max(0.0, at_s - clock.monotonic()))
            async with self._shared.turns:
                began_s = clock.monotonic()
                result = await self._ask(kind, self._states[kind].probe)
            self._take(kind, result, began_s)

    async def _ask(self, kind: ProbeKind, probe: Probe) -> CheckResult | None:
        """Return the answer to one check; None where nobody could answer."""
        try:
            async with asyncio.timeout(probe.timeout_s + OVERTIME_S):
                return await self._shared.check(self._key, probe)
        except RetryLaterError:
            return None
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._raised(kind, error)
        except Exception as error:  # noqa: BLE001 - a bug in a check must not end its probe
            return self._raised(kind, error)

    def _raised(self, kind: ProbeKind, error: BaseException) -> CheckResult:
        """Take a check that raised for failed; told of once for each container."""
        if not self._told_of_bug:
            self._told_of_bug = True
            name = self._key.runtime_name
            _log.error("%s: its %s check raised", name, kind.lower(), exc_info=error)
        return CheckResult(succeeded=False, message=f"{type(error).__name__}: {error}")

    def _take(self, kind: ProbeKind, result: CheckResult | None, began_s: float) -> None:
        """Note an answer, and tell of it if it changed how the container stands."""
        if self._stopped:
            return
        state = self._states[kind]
        if result is None:
            self._states[kind] = state.unanswered(began_s)
            return
        self._states[kind] = state.after(result.succeeded, result.message, began_s)
        before, self.health = self.health, service_health(self._probed, self._states)
        if self.health.started and not before.started:
            self._begin(ProbeKind.LIVENESS, ProbeKind.READINESS)
        if self.health != before:
            try:
                self._shared.changed(self._key.deployment)
            except Exception:  # noqa: BLE001 - whoever is told must not end the probe
                _log.exception("%s: the hint was not taken", self._key.deployment)


def _first_states(running: Running, now_s: float) -> dict[ProbeKind, ProbeState]:
    """Return the states that a container's probes begin with; none where it has no health checks.

    A start in the future, by a clock that was set, counts as now.
    """
    states: dict[ProbeKind, ProbeState] = {}
    if running.health is None:
        return states
    started_at_s = min(running.started_at_monotonic_s, now_s)
    passed = running.assume_started
    for kind in ProbeKind:
        if (probe := kind.of(running.health)) is not None:
            due_s = started_at_s + probe.initial_delay_s
            if now_s - due_s > SPREAD_S:
                due_s = now_s + random.uniform(0.0, SPREAD_S)
            states[kind] = ProbeState.begin(kind, probe, due_s, assume_passed=passed)
    return states


def _tell_of_bug(task: asyncio.Task[None]) -> None:
    """Tell of a probe that ended by a bug of its own: it would be silent from here on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a health probe has ended by a bug", exc_info=error)
