"""What the workers of one device share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_agent.health.monitor import HealthMonitor
from fleet_agent.reconcile.runs import Moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.reconcile.memory import Memory
    from fleet_agent.runtime.contract import ContainerRuntime
    from fleet_agent.saved_logs import SavedLogs
    from fleet_agent.states import StatePublisher
    from fleet_core.clock import Clock

MAX_PARALLEL_PULLS: Final = 2
"""On one device: its link and its disk are small."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The device as a deployment's worker finds it."""

    runtime: ContainerRuntime
    clock: Clock
    boot_id: str
    states: StatePublisher
    saved_logs: SavedLogs
    drift_interval_s: float = 60.0
    keep: Callable[[str, Memory | None], None] = lambda _name, _memory: None
    """Has a deployment's memory kept on disk; None lets go of it."""
    health: HealthMonitor = field(init=False)
    listeners: list[Callable[[str], None]] = field(default_factory=list)
    """Who looks again at a deployment whose health has changed."""
    pulls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PARALLEL_PULLS))

    def __post_init__(self) -> None:
        """Have health checked through the runtime."""
        monitor = HealthMonitor(self.clock, self.runtime.check_health, self._hint)
        object.__setattr__(self, "health", monitor)

    def _hint(self, deployment: str) -> None:
        for listener in self.listeners:
            listener(deployment)

    def moment(self) -> Moment:
        """Return this moment on both clocks."""
        return Moment(self.clock.monotonic(), self.clock.now())
