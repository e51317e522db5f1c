"""A whole simulated fleet on a few shared connections."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_agent.agent import Link
from fleet_agent.simulation.devices import draw_devices
from fleet_agent.simulation.lives import Life
from fleet_core.clock import SystemClock
from fleet_core.messaging import ConnectionSettings, LatestWriter, connect

if TYPE_CHECKING:
    from fleet_agent.simulation.profile import Profile

_log = logging.getLogger(__name__)
DEVICES_PER_CONNECTION: Final = 2_500
STARTS_PER_TICK: Final = 100
TICK_S: Final = 0.05
"""Agents start in small groups: ten thousand at once would keep each other from answering."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How large a fleet, and drawn from which seed."""

    devices: int
    seed: int = 1
    prefix: str = ""
    connections: int | None = None

    @property
    def connection_count(self) -> int:
        """How many connections the devices share."""
        return self.connections or 1 + (self.devices - 1) // DEVICES_PER_CONNECTION


async def run_fleet(profile: Profile, settings: ConnectionSettings, options: FleetOptions) -> None:
    """Run the fleet until cancelled; a server that is not there yet is waited for.

    Raises:
        InvalidInputError: the prefix makes ids that are no device ids.
    """
    devices = list(draw_devices(profile, options.devices, options.seed, options.prefix))
    images = {part.image: part for part in profile.images}
    clock = SystemClock()
    async with asyncio.TaskGroup() as group:
        links = [await _open_link(group, settings) for _ in range(options.connection_count)]
        try:
            for index, device in enumerate(devices):
                life = Life(device, profile, images, options.seed, clock)
                group.create_task(life.run(links[index % len(links)]))
                if index % STARTS_PER_TICK == STARTS_PER_TICK - 1:
                    await asyncio.sleep(TICK_S)
            _log.info("%d devices live on %d connections", len(devices), len(links))
            # The agents live as long as the process: the collector need not walk through them.
            gc.freeze()
            await asyncio.get_running_loop().create_future()
        finally:
            for link in links:
                await link.connection.close()


async def _open_link(group: asyncio.TaskGroup, settings: ConnectionSettings) -> Link:
    connection = await connect(settings, wait=False)
    writer = LatestWriter(connection)
    group.create_task(writer.run())
    return Link(connection, writer)
