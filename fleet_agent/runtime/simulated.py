"""A container runtime in memory, for demos, load tests and the agent's own tests.

Where a container stands is computed from its behaviour and the time, whenever somebody looks: there
is no task and no stored log per container, so that one process can hold tens of thousands.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

from fleet_agent.health.checks import CheckResult
from fleet_agent.runtime.behaviour import ImageScript
from fleet_agent.runtime.contract import (
    SAVED_LOG_MAX_BYTES,
    ContainerKey,
    ContainerRuntime,
    ExecOutcome,
    Exited,
    ImageNeverPulledError,
    ImageNotFoundError,
    ImagePullError,
    LogLine,
    Role,
    RunState,
    Snapshot,
    TimedOut,
)
from fleet_core.clock import SystemClock
from fleet_core.contracts.containers import PullPolicy
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_agent.runtime.behaviour import Behaviour, Script
    from fleet_agent.runtime.contract import ContainerSpec
    from fleet_core.clock import Clock
    from fleet_core.contracts.probes import Probe

EXIT_TERM = 143
EXIT_KILL = 137
_SAVED_LINES = 1_000
_TICK_S = 0.001


@dataclass(slots=True)
class _Container:
    """One container; times are monotonic seconds."""

    spec: ContainerSpec
    behaviour: Behaviour
    container_id: str
    starts_at: float
    to_wall: float
    """What turns its monotonic times into Unix seconds."""
    killed_at: float | None = None
    kill_code: int = EXIT_KILL
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    ended: asyncio.Event | None = None
    """Set when it is killed or removed; made by who waits."""

    def ends_at(self) -> float | None:
        by_itself = self.behaviour.ends_by_itself_at(self.starts_at)
        ends = [moment for moment in (by_itself, self.killed_at) if moment is not None]
        return min(ends, default=None)

    def state(self, now: float) -> RunState:
        ends_at = self.ends_at()
        if ends_at is not None and now >= ends_at:
            return RunState.EXITED
        return RunState.RUNNING if now >= self.starts_at else RunState.CREATED

    def ended_by_itself(self) -> bool:
        by_itself = self.behaviour.ends_by_itself_at(self.starts_at)
        return by_itself is not None and by_itself == self.ends_at()

    def exit_code(self) -> int:
        if not self.ended_by_itself():
            return self.kill_code
        return EXIT_KILL if self.behaviour.oom_killed else self.behaviour.exit_code

    def oom_killed(self) -> bool:
        return self.ended_by_itself() and self.behaviour.oom_killed

    def snapshot(self, now: float) -> Snapshot:
        state, ends_at, spec = self.state(now), self.ends_at(), self.spec
        ended = state is RunState.EXITED and ends_at is not None
        return Snapshot(
            key=spec.key,
            container_id=self.container_id,
            image=spec.container.image,
            role=spec.role,
            spec_hash=spec.spec_hash,
            boot_id=spec.boot_id,
            attempt=spec.attempt,
            state=state,
            started_at_s=None if state is RunState.CREATED else self.starts_at + self.to_wall,
            finished_at_s=ends_at + self.to_wall if ended and ends_at is not None else None,
            exit_code=self.exit_code() if ended else None,
            oom_killed=ended and self.oom_killed(),
        )

    def log(self, now: float, limit: int) -> list[LogLine]:
        if self.state(now) is RunState.CREATED:
            return []
        ends_at = self.ends_at()
        until = now if ends_at is None else min(now, ends_at)
        return self.behaviour.log_lines(
            self.starts_at + self.to_wall,
            until + self.to_wall,
            ended_by_itself=self.state(now) is RunState.EXITED and self.ended_by_itself(),
            seed=crc32(self.container_id.encode()),
            limit=limit,
        )


class SimulatedRuntime(ContainerRuntime):
    """Containers that only exist here, and behave as their script says."""

    def __init__(
        self, script: Script | None = None, *, clock: Clock | None = None, seed: int = 0
    ) -> None:
        self._script: Script = script or ImageScript()
        self._clock: Clock = clock or SystemClock()
        self._seed = seed
        self._made = 0
        self._containers: dict[ContainerKey, _Container] = {}
        self._images: set[str] = set()
        self._failed_pulls: dict[str, int] = {}
        self._listeners: list[Callable[[str], None]] = []

    async def describe(self) -> str:
        """Return the name and version of the simulation."""
        return "simulated 1"

    async def pull_image(
        self,
        image: str,
        policy: PullPolicy = PullPolicy.IF_NOT_PRESENT,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Take as long as the script says, or fail as it says."""
        if image in self._images and policy is not PullPolicy.ALWAYS:
            return
        if policy is PullPolicy.NEVER:
            raise ImageNeverPulledError(f"{image}: not on this device, and never pulled")
        if on_progress is not None:
            on_progress("pulling")
        behaviour = self._script.image(image)
        if behaviour.pull_s:
            await self._clock.sleep(behaviour.pull_s)
        if behaviour.missing:
            raise ImageNotFoundError(f"{image}: manifest unknown")
        failed = self._failed_pulls.get(image, 0)
        if failed < behaviour.failing_pulls:
            self._failed_pulls[image] = failed + 1
            raise ImagePullError(f"{image}: the registry does not answer")
        self._images.add(image)

    async def ensure_service_running(self, spec: ContainerSpec) -> Snapshot:
        """Start the service unless this very run of it is there."""
        container = self._containers.get(spec.key)
        now = self._clock.monotonic()
        if container is None or not self._runs(container, spec, now):
            container = await self._replace(spec)
        return container.snapshot(self._clock.monotonic())

    async def run_to_completion(self, spec: ContainerSpec, timeout_s: float) -> Exited | TimedOut:
        """Run an init container, or wait for the one that runs."""
        container = self._containers.get(spec.key)
        if container is None or not spec.is_same_run(container.snapshot(self._clock.monotonic())):
            container = await self._replace(spec)
        deadline = container.starts_at + timeout_s
        await self._wait_for_end(container, deadline)
        now = self._clock.monotonic()
        ends_at = container.ends_at()
        started_at_s = container.starts_at + container.to_wall
        log = _clip(container.log(now, _SAVED_LINES))
        if container.state(now) is RunState.EXITED and ends_at is not None:
            finished_at_s = ends_at + container.to_wall
            return Exited(
                container.exit_code(), started_at_s, finished_at_s, container.oom_killed(), log
            )
        await self.remove(spec.key)
        return TimedOut(now - container.starts_at, started_at_s, now + container.to_wall, log)

    async def list_managed_services(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all services."""
        return self._list(Role.SERVICE, deployment)

    async def list_init_containers(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all init containers."""
        return self._list(Role.INIT, deployment)

    async def container_status(self, key: ContainerKey) -> Snapshot | None:
        """Return the container as it is now."""
        container = self._containers.get(key)
        return None if container is None else container.snapshot(self._clock.monotonic())

    async def logs(
        self, key: ContainerKey, *, tail: int, since_s: float | None = None
    ) -> Sequence[LogLine]:
        """Return the last lines, made up from the container's behaviour and the time."""
        container = self._containers.get(key)
        if container is None:
            raise NotFoundError(f"there is no container {key.runtime_name}")
        lines = container.log(self._clock.monotonic(), tail)
        return [line for line in lines if since_s is None or line.at_s >= since_s]

    async def exec(
        self, key: ContainerKey, argv: Sequence[str], timeout_s: float, limit_bytes: int
    ) -> ExecOutcome:
        """Return what was asked for: there is no program that could run."""
        container = self._running(key)
        if container is None:
            raise NotFoundError(f"{key.runtime_name}: it does not run")
        said = f"simulated, with {timeout_s:g} s: {' '.join(argv)}\n".encode()
        return ExecOutcome(0, said[:limit_bytes], b"", len(said) > limit_bytes)

    async def check_health(self, key: ContainerKey, probe: Probe) -> CheckResult:
        """Return what the script says of the container's health at its age."""
        del probe  # all kinds of checks see the same container
        container = self._running(key)
        if container is None:
            return CheckResult(False, "it does not run")
        age_s = self._clock.monotonic() - container.starts_at
        return CheckResult(container.behaviour.is_healthy(age_s), "simulated")

    async def stop(self, key: ContainerKey, grace_s: float | None = None) -> None:
        """End the container: at once, or after the grace period if it ignores TERM."""
        container = self._containers.get(key)
        now = self._clock.monotonic()
        if container is None or container.state(now) is RunState.EXITED:
            return
        if grace_s is None:
            grace_s = container.spec.stop_grace_s
        stubborn = container.behaviour.ignores_term
        self._kill(container, now + grace_s if stubborn else now, stubborn=stubborn)
        await self._wait_for_end(container, now + grace_s + 1)

    async def remove(self, key: ContainerKey) -> None:
        """Remove the container, running or not."""
        container = self._containers.pop(key, None)
        if container is None:
            return
        self._kill(container, self._clock.monotonic(), stubborn=True)

    async def forget_deployment(self, deployment: str) -> None:
        """Do nothing: a simulated deployment has nothing but its containers."""

    def on_change(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` at each start and end."""
        self._listeners.append(changed)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(changed)

        return unsubscribe

    async def close(self) -> None:
        """Cancel what hints are still to come."""
        for container in self._containers.values():
            _cancel_timers(container)

    def kill(self, key: ContainerKey) -> None:
        """Kill a container from outside, as the kernel or a person would."""
        container = self._containers.get(key)
        if container is not None:
            self._kill(container, self._clock.monotonic(), stubborn=True)

    def power_off(self) -> None:
        """End all containers at once, as a reboot does; their records stay."""
        for key in list(self._containers):
            self.kill(key)

    def _running(self, key: ContainerKey) -> _Container | None:
        container = self._containers.get(key)
        if container is None or container.state(self._clock.monotonic()) is not RunState.RUNNING:
            return None
        return container

    def _runs(self, container: _Container, spec: ContainerSpec, now: float) -> bool:
        return spec.is_same_run(container.snapshot(now)) and (
            container.state(now) is not RunState.EXITED
        )

    async def _replace(self, spec: ContainerSpec) -> _Container:
        if spec.container.image not in self._images:
            raise ImageNotFoundError(f"{spec.container.image}: not on this device")
        await self.stop(spec.key)
        await self.remove(spec.key)
        return self._create(spec)

    def _create(self, spec: ContainerSpec) -> _Container:
        now = self._clock.monotonic()
        self._made += 1
        container_id = f"{crc32(spec.key.runtime_name.encode()):08x}{self._seed + self._made:08x}"
        behaviour = self._script.container(spec)
        container = _Container(
            spec, behaviour, container_id, now + behaviour.start_delay_s, self._clock.now() - now
        )
        self._containers[spec.key] = container
        self._hint_at(container, container.starts_at)
        ends_at = container.ends_at()
        if ends_at is not None:
            self._hint_at(container, ends_at)
        return container

    def _kill(self, container: _Container, at: float, *, stubborn: bool) -> None:
        if container.state(self._clock.monotonic()) is not RunState.EXITED:
            container.killed_at = at
            container.kill_code = EXIT_KILL if stubborn else EXIT_TERM
            _cancel_timers(container)
            self._hint_at(container, at)
        if container.ended is not None:
            container.ended.set()

    async def _wait_for_end(self, container: _Container, deadline: float) -> None:
        while (now := self._clock.monotonic()) < deadline:
            ends_at = container.ends_at()
            if ends_at is not None and now >= ends_at:
                return
            until = deadline if ends_at is None else min(deadline, ends_at)
            container.ended = container.ended or asyncio.Event()
            container.ended.clear()
            with contextlib.suppress(TimeoutError):
                # Less than the loop's resolution would be no wait at all, again and again.
                await asyncio.wait_for(container.ended.wait(), max(until - now, _TICK_S))

    def _hint_at(self, container: _Container, at: float) -> None:
        loop = asyncio.get_running_loop()
        delay = max(0.0, at - self._clock.monotonic())
        deployment = container.spec.key.deployment
        container.timers.append(loop.call_later(delay, self._hint, deployment))

    def _hint(self, deployment: str) -> None:
        for changed in tuple(self._listeners):
            changed(deployment)

    def _list(self, role: Role, deployment: str | None) -> list[Snapshot]:
        now = self._clock.monotonic()
        return [
            container.snapshot(now)
            for key, container in self._containers.items()
            if container.spec.role is role and deployment in (None, key.deployment)
        ]


def _cancel_timers(container: _Container) -> None:
    for timer in container.timers:
        timer.cancel()
    container.timers.clear()


def _clip(lines: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """Return the last lines that fit into `SAVED_LOG_MAX_BYTES`."""
    left = SAVED_LOG_MAX_BYTES
    for count, line in enumerate(reversed(lines)):
        left -= len(line.text.encode()) + 1
        if left < 0:
            return tuple(lines[len(lines) - count :])
    return tuple(lines)
