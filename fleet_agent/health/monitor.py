"""Knows how the services of a device stand: one watch for each container that is followed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet_agent.health.probing import NOT_STARTED, ServiceHealth
from fleet_agent.health.watch import ContainerWatch, Running, Shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fleet_agent.health.checks import CheckResult
    from fleet_agent.runtime.contract import ContainerKey
    from fleet_core.clock import Clock
    from fleet_core.contracts.probes import Probe

__all__ = ["HealthMonitor", "Running", "ServiceHealth"]


class HealthMonitor:
    """Has the containers' health checked, exactly of those that it was told to follow.

    Made and used on one event loop. At most `watch.MAX_PARALLEL_CHECKS` checks run at a time.
    """

    def __init__(
        self,
        clock: Clock,
        check: Callable[[ContainerKey, Probe], Awaitable[CheckResult]],
        changed: Callable[[str], None],
    ) -> None:
        """Take what does a check, and what hears of changes.

        ``check`` keeps to the probe's ``timeout_s``, which counts from the call. Where it raises
        `RetryLaterError` (the runtime does not answer) nothing changes; any other error of it is a
        failed check. ``changed(deployment)`` is a hint, given when a check has changed what `of`
        returns; `follow` gives none.
        """
        self._shared = Shared(clock, check, changed)
        self._watches: dict[ContainerKey, ContainerWatch] = {}
        self._closed = False

    def follow(self, deployment: str, running: Mapping[ContainerKey, Running]) -> None:
        """Check exactly these containers of the deployment; those that are known go on as before.

        A container is known by its id: another one under the same key begins anew.
        """
        for key, watch in list(self._watches.items()):
            now = running.get(key)
            gone = now is None or now.container_id != watch.container_id
            if key.deployment == deployment and gone:
                self._watches.pop(key).stop()
        for key, container in running.items():
            if key not in self._watches and not self._closed:
                self._watches[key] = ContainerWatch(key, container, self._shared)

    def of(self, key: ContainerKey, container_id: str) -> ServiceHealth:
        """Return how the container stands; one that is not followed has not started.

        One that is followed and has no health checks is ready.
        """
        watch = self._watches.get(key)
        if watch is None or watch.container_id != container_id:
            return NOT_STARTED
        return watch.health

    def forget(self, deployment: str) -> None:
        """Follow no container of the deployment any longer."""
        self.follow(deployment, {})

    async def close(self) -> None:
        """Break off all checks, for good; return when no task is left."""
        self._closed = True
        for watch in self._watches.values():
            watch.stop()
        self._watches.clear()
        if self._shared.tasks:
            await asyncio.wait(self._shared.tasks)
