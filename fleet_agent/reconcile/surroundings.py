"""What the workers of one device share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.progress import Moment

if TYPE_CHECKING:
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
    pulls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PARALLEL_PULLS))

    def moment(self) -> Moment:
        """Return this moment on both clocks."""
        return Moment(self.clock.monotonic(), self.clock.now())
