"""`PodmanRuntime`: containers of a real podman."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_agent.health.checks import CheckResult
from fleet_agent.runtime.contract import (
    ContainerKey,
    ContainerRuntime,
    Exited,
    Role,
    RuntimeUnavailableError,
    TimedOut,
)
from fleet_agent.runtime.podman.api import ApiError, PodmanApi
from fleet_agent.runtime.podman.checking import check_from_device
from fleet_agent.runtime.podman.events import PodmanEvents
from fleet_agent.runtime.podman.execution import run_in_container
from fleet_agent.runtime.podman.images import Images, Registry
from fleet_agent.runtime.podman.lifecycle import PodmanLifecycle
from fleet_agent.runtime.podman.observing import PodmanObserver
from fleet_agent.runtime.podman.service import PodmanService, run_folder
from fleet_agent.runtime.policy import DevicePolicy
from fleet_core.contracts.containers import PullPolicy
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fleet_agent.runtime.contract import ContainerSpec, ExecOutcome, LogLine, Snapshot
    from fleet_core.contracts.probes import Probe

_SAID_MAX_BYTES: Final = 4_096
_EXIT_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class PodmanSettings:
    """How podman is reached, and what this device allows."""

    socket: Path | None = None
    executable: str = "podman"
    parallel_calls: int = 4
    run_folder: Path | None = None
    """For the socket of a service that the agent starts itself."""
    policy: DevicePolicy = field(default_factory=DevicePolicy)
    registries: Mapping[str, Registry] = field(default_factory=dict)


class PodmanRuntime(ContainerRuntime):
    """Drives podman by its API; nothing of what it is told blocks the event loop."""

    def __init__(self, settings: PodmanSettings | None = None) -> None:
        settings = settings or PodmanSettings()
        folder = settings.run_folder or run_folder(os.environ, os.geteuid())
        self._service = PodmanService(settings.socket, settings.executable, folder)
        self.api = PodmanApi(self._service, settings.parallel_calls)
        self._observer = PodmanObserver(self.api)
        self._lifecycle = PodmanLifecycle(self.api, self._observer, settings.policy)
        self._images = Images(self.api, settings.registries)
        self._events = PodmanEvents(self._service, self._happened, self._missed)
        self._listeners: list[Callable[[str], None]] = []

    async def describe(self) -> str:
        """Return podman's version."""
        try:
            version = await self.api.get("/version")
        except ApiError as error:
            raise RuntimeUnavailableError(f"podman: {error.message}") from error
        return f"podman {version['Version']}"

    async def pull_image(
        self,
        image: str,
        policy: PullPolicy = PullPolicy.IF_NOT_PRESENT,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Pull the image as its policy says."""
        await self._images.ensure(image, policy, on_progress)

    async def ensure_service_running(self, spec: ContainerSpec) -> Snapshot:
        """Start the service unless this very run of it is there and runs."""
        return await self._lifecycle.ensure_running(spec, adopt_ended=False)

    async def run_to_completion(self, spec: ContainerSpec, timeout_s: float) -> Exited | TimedOut:
        """Run an init container, or wait for the one that runs."""
        self._events.start()
        started = await self._lifecycle.ensure_running(spec, adopt_ended=True)
        started_at_s = started.started_at_s or time.time()
        loop = asyncio.get_running_loop()
        # One that an earlier agent started has used up some of its time, as far as clocks can tell.
        began = loop.time() - min(max(0.0, time.time() - started_at_s), timeout_s)
        ended = await self._lifecycle.until_ended(spec.key, started, began + timeout_s)
        log = await self._observer.saved_log(spec.key)
        if ended is None:
            await self._lifecycle.remove(spec.key)
            waited_s = loop.time() - began
            return TimedOut(waited_s, started_at_s, started_at_s + waited_s, log)
        return Exited(
            _EXIT_UNKNOWN if ended.exit_code is None else ended.exit_code,
            ended.started_at_s or started_at_s,
            ended.finished_at_s or time.time(),
            ended.oom_killed,
            log,
        )

    async def list_managed_services(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all services."""
        return await self._observer.list(Role.SERVICE, deployment)

    async def list_init_containers(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all init containers."""
        return await self._observer.list(Role.INIT, deployment)

    async def container_status(self, key: ContainerKey) -> Snapshot | None:
        """Return the container as it is now."""
        return await self._observer.status(key)

    async def logs(
        self, key: ContainerKey, *, tail: int, since_s: float | None = None
    ) -> Sequence[LogLine]:
        """Return the last lines."""
        return await self._observer.logs(key, tail=tail, since_s=since_s)

    async def exec(
        self, key: ContainerKey, argv: Sequence[str], timeout_s: float, limit_bytes: int
    ) -> ExecOutcome:
        """Run a program in a running container."""
        name = key.runtime_name
        try:
            outcome: ExecOutcome = await self.api.slowly(
                lambda api: run_in_container(api, name, argv, timeout_s, limit_bytes)
            )
        except ApiError as error:
            raise NotFoundError(f"{name}: {error.message}") from error
        return outcome

    async def check_health(self, key: ContainerKey, probe: Probe) -> CheckResult:
        """Do a health check: from the device, or by a program in the container."""
        if probe.exec is not None:
            return await self._check_by_program(key, probe.exec, probe.timeout_s)
        inspected = await self._observer.inspect(key.runtime_name)
        return await check_from_device(inspected, probe)

    async def stop(self, key: ContainerKey, grace_s: float | None = None) -> None:
        """Send its stop signal, and KILL after the grace period."""
        await self._lifecycle.stop(key, grace_s)

    async def remove(self, key: ContainerKey) -> None:
        """Remove the container, running or not."""
        await self._lifecycle.remove(key)

    async def forget_deployment(self, deployment: str) -> None:
        """Remove the deployment's network."""
        await self._lifecycle.remove_network(deployment)

    def on_change(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` at each event of a container of ours."""
        self._listeners.append(changed)
        self._events.start()

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(changed)

        return unsubscribe

    async def close(self) -> None:
        """Let go of podman; what was begun is finished first, within reason."""
        await self._lifecycle.close()
        await self._events.close()
        await self.api.close()
        await self._service.close()

    def _missed(self) -> None:
        for changed in tuple(self._listeners):
            changed("")

    def _happened(self, key: ContainerKey, action: str) -> None:
        self._lifecycle.happened(key, action)
        for changed in tuple(self._listeners):
            changed(key.deployment)

    async def _check_by_program(
        self, key: ContainerKey, argv: Sequence[str], timeout_s: float
    ) -> CheckResult:
        try:
            outcome = await self.exec(key, argv, timeout_s, _SAID_MAX_BYTES)
        except NotFoundError as error:
            return CheckResult(False, error.message)
        if outcome.exit_code is None:
            return CheckResult(False, f"command timed out after {timeout_s:g} s")
        said = (outcome.stdout + outcome.stderr).decode(errors="replace").strip()
        return CheckResult(outcome.exit_code == 0, said or f"exit code {outcome.exit_code}")
