"""Starting, stopping and removing containers: one thing at a time for each, and never by half."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fleet_agent.runtime.contract import (
    STOP_GRACE_S,
    ContainerKey,
    ContainerStartError,
    RunState,
)
from fleet_agent.runtime.podman.api import ApiError
from fleet_agent.runtime.podman.creating import create_body
from fleet_agent.runtime.podman.networks import PodmanNetworks
from fleet_agent.runtime.podman.observing import NOT_FOUND
from fleet_agent.runtime.podman.refusals import create_error, start_error
from fleet_agent.runtime.podman.seeing import stop_grace_s
from fleet_core.contracts.containers import Network

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fleet_agent.runtime.contract import ContainerSpec, Snapshot
    from fleet_agent.runtime.podman.api import PodmanApi
    from fleet_agent.runtime.podman.observing import PodmanObserver
    from fleet_agent.runtime.policy import DevicePolicy

ENDING_EVENTS: Final = frozenset(("died", "remove"))
_FIRST_POLL_S: Final = 0.2
_LONGEST_POLL_S: Final = 5.0
"""An end is heard of by podman's events; looking again covers the one that was lost."""


class PodmanLifecycle:
    """Changes containers; what was begun is finished even where nobody waits for it any more."""

    def __init__(self, api: PodmanApi, observer: PodmanObserver, policy: DevicePolicy) -> None:
        self._api = api
        self._observer = observer
        self._policy = policy
        self._networks = PodmanNetworks(api)
        self._locks: dict[ContainerKey, asyncio.Lock] = {}
        self._ended: dict[ContainerKey, asyncio.Event] = {}
        self._work: set[asyncio.Task[Any]] = set()

    async def ensure_running(self, spec: ContainerSpec, *, adopt_ended: bool) -> Snapshot:
        """Start the container unless this very run of it is there."""
        work = self._ensure_running(spec, adopt_ended=adopt_ended)
        snapshot: Snapshot = await self._whole(spec.key, work)
        return snapshot

    async def stop(self, key: ContainerKey, grace_s: float | None) -> None:
        """End the container; by its spec's grace where none is given."""
        await self._whole(key, self._stop(key, grace_s))

    async def remove(self, key: ContainerKey) -> None:
        """Remove the container, running or not."""
        await self._whole(key, self._remove(key))

    async def remove_network(self, deployment: str) -> None:
        """Remove a deployment's network, unless a container of somebody else uses it."""
        await self._networks.remove(deployment)

    def happened(self, key: ContainerKey, action: str) -> None:
        """Take note of an event of podman's."""
        ended = self._ended.get(key)
        if ended is not None and action in ENDING_EVENTS:
            ended.set()

    async def until_ended(
        self, key: ContainerKey, started: Snapshot, deadline: float
    ) -> Snapshot | None:
        """Wait for a run's end; None where the deadline (in the loop's time) came first."""
        loop = asyncio.get_running_loop()
        poll_s = _FIRST_POLL_S
        ended = self._ended.setdefault(key, asyncio.Event())
        while True:
            ended.clear()
            found = await self._observer.status(key)
            if found is None or found.container_id != started.container_id:
                # Somebody else removed it: how it ended, nobody can tell.
                return replace(started, state=RunState.EXITED, exit_code=None)
            if found.state is RunState.EXITED:
                return found
            left_s = deadline - loop.time()
            if left_s <= 0:
                return None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(poll_s, left_s))
            poll_s = min(2 * poll_s, _LONGEST_POLL_S)

    async def close(self) -> None:
        """Finish what was begun, within reason."""
        if self._work:
            await asyncio.wait(self._work, timeout=STOP_GRACE_S / 2)
        for task in self._work:
            task.cancel()

    async def _whole(self, key: ContainerKey, work: Coroutine[None, None, Any]) -> Any:
        lock = self._locks.setdefault(key, asyncio.Lock())

        async def locked() -> Any:
            async with lock:
                return await work

        task = asyncio.create_task(locked())
        self._work.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()  # read, also where nobody waits for it any more

    async def _ensure_running(self, spec: ContainerSpec, *, adopt_ended: bool) -> Snapshot:
        found = await self._observer.status(spec.key)
        if found is not None and spec.is_same_run(found):
            if found.state is RunState.UNSTARTED:
                return await self._start(spec)
            if found.state is not RunState.EXITED or adopt_ended:
                return found
        await self._api.off_loop(lambda: self._policy.check(spec.container))
        body = create_body(spec)
        if found is not None:
            await self._stop(spec.key, None)
        await self._remove(spec.key)
        await self._create(spec, body)
        return await self._start(spec)

    async def _create(self, spec: ContainerSpec, body: dict[str, Any]) -> None:
        if spec.container.network is Network.DEPLOYMENT:
            await self._networks.ensure(spec.key.deployment)
        try:
            await self._api.post("/containers/create", body)
        except ApiError as error:
            self._networks.doubt(spec.key.deployment)
            raise create_error(spec.container.image, error.message) from error

    async def _start(self, spec: ContainerSpec) -> Snapshot:
        self._observer.starting.add(spec.key)
        try:
            await self._api.post(f"/containers/{spec.key.runtime_name}/start")
        except ApiError as error:
            await self._remove(spec.key)
            self._networks.doubt(spec.key.deployment)
            raise start_error(error.message) from error
        finally:
            self._observer.starting.discard(spec.key)
        started = await self._observer.status(spec.key)
        if started is None:
            raise ContainerStartError("it was gone as soon as it was started")
        return started

    async def _stop(self, key: ContainerKey, grace_s: float | None) -> None:
        inspected = await self._observer.inspect(key.runtime_name)
        found = None if inspected is None else self._observer.snapshot(inspected)
        if found is None or found.state is not RunState.RUNNING:
            return
        if grace_s is None:
            grace_s = stop_grace_s(inspected, STOP_GRACE_S)
        path = f"/containers/{key.runtime_name}"
        if inspected["State"]["Status"] == "paused":  # what is frozen hears no signal
            with contextlib.suppress(ApiError):
                await self._api.post(f"{path}/unpause")
        signal = str(inspected["Config"].get("StopSignal") or "SIGTERM")
        loop = asyncio.get_running_loop()
        for sent, wait_s in ((signal, grace_s), ("SIGKILL", STOP_GRACE_S)):
            with contextlib.suppress(ApiError):  # it ended a moment ago
                await self._api.post(f"{path}/kill", signal=sent)
            if await self.until_ended(key, found, loop.time() + wait_s) is not None:
                return

    async def _remove(self, key: ContainerKey) -> None:
        try:
            await self._api.delete(
                f"/containers/{key.runtime_name}", force=True, timeout=0, v=True, ignore=True
            )
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise ContainerStartError(f"it cannot be removed: {error.message}") from error
