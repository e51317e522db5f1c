"""One simulated device's life: when its agent runs, when it is away, when it boots anew."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from fleet_agent.agent import Agent, DeviceIdentity
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_agent.simulation.devices import Fault
from fleet_agent.simulation.drawing import between, generator
from fleet_agent.simulation.scripts import ProfileScript

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_agent.agent import Link
    from fleet_agent.commands.handlers import Handler
    from fleet_agent.runtime.contract import ContainerRuntime
    from fleet_agent.simulation.devices import SimulatedDevice
    from fleet_agent.simulation.profile import ImagePart, Profile
    from fleet_core.clock import Clock
    from fleet_core.messaging import Message

_log = logging.getLogger(__name__)
_AFTER_BUG_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What slows a device down."""

    reply_s: tuple[float, float] = (0.0, 0.0)
    heartbeat_factor: float = 1.0


class SimulatedAgent(Agent):
    """The real agent, on a device whose heart or link may be slow."""

    def __init__(
        self,
        identity: DeviceIdentity,
        link: Link,
        runtime: ContainerRuntime,
        trouble: Trouble,
        *,
        clock: Clock,
    ) -> None:
        self._trouble = trouble
        super().__init__(identity, link, runtime, clock=clock)

    def ping_handler(self) -> Handler:
        """Answer ``ping`` as late as the device's link makes it."""
        handler = super().ping_handler()
        if self._trouble.reply_s[1] <= 0:
            return handler

        async def late(payload: bytes, message: Message) -> bytes | None:
            await asyncio.sleep(random.uniform(*self._trouble.reply_s))
            return await handler(payload, message)

        return late

    def interval_s(self, told_s: float) -> float:
        """Beat as seldom as the device's fault makes it."""
        return super().interval_s(told_s) * self._trouble.heartbeat_factor


class Life:
    """What a device does from the fleet's start to its end."""

    def __init__(
        self,
        device: SimulatedDevice,
        profile: Profile,
        images: Mapping[str, ImagePart],
        seed: int,
        clock: Clock,
    ) -> None:
        self._device = device
        self._faults = profile.faults
        self._movement = profile.movement
        self._clock = clock
        self._rng = generator(seed, device.device_id, "life")
        script = ProfileScript(images, device.device_id, device.labels, seed)
        self._runtime = SimulatedRuntime(script, clock=clock)
        self._boot_id = self._new_boot_id()

    async def run(self, link: Link) -> None:
        """Live until cancelled, or until the device goes offline for good."""
        try:
            match self._device.fault:
                case Fault.ABSENT:
                    self._agent(link).publish_info()
                case Fault.OFFLINE:
                    await self._agent_runs(link, self._draw(self._faults.offline_after_s))
                case Fault.FLAPPING:
                    await self._flap(link)
                case Fault.NONE | Fault.STALE | Fault.SLOW:
                    await self._work(link)
        finally:
            await self._runtime.close()

    async def _flap(self, link: Link) -> None:
        while True:
            await self._agent_runs(link, self._draw(self._faults.flapping_up_s))
            await self._clock.sleep(self._draw(self._faults.flapping_down_s))

    async def _work(self, link: Link) -> None:
        """Run the agent; now and then it restarts, or the device boots anew."""
        while True:
            restart_s = self._next(self._movement.agent_restart_every_s)
            reboot_s = self._next(self._movement.reboot_every_s)
            await self._agent_runs(link, min(restart_s, reboot_s))
            if restart_s <= reboot_s:
                await self._clock.sleep(self._draw(self._movement.agent_restart_takes_s))
            else:
                self._runtime.power_off()
                self._boot_id = self._new_boot_id()
                await self._clock.sleep(self._draw(self._movement.reboot_takes_s))

    async def _agent_runs(self, link: Link, for_s: float) -> None:
        """Run the agent for so long; its containers outlive it."""
        try:
            async with asyncio.timeout(None if math.isinf(for_s) else for_s):
                await self._agent(link).run()
        except TimeoutError:
            return
        except ExceptionGroup:
            _log.exception("%s: the agent failed", self._device.device_id)
            await self._clock.sleep(_AFTER_BUG_S)

    def _agent(self, link: Link) -> SimulatedAgent:
        device = self._device
        identity = DeviceIdentity(
            device.device_id, device.labels, device.agent_version, self._boot_id, device.inventory
        )
        return SimulatedAgent(identity, link, self._runtime, self._trouble(), clock=self._clock)

    def _trouble(self) -> Trouble:
        match self._device.fault:
            case Fault.SLOW:
                return Trouble(reply_s=self._faults.slow_reply_s)
            case Fault.STALE:
                return Trouble(heartbeat_factor=self._faults.stale_factor)
            case _:
                return Trouble()

    def _draw(self, bounds: tuple[float, float]) -> float:
        return between(bounds, self._rng.random())

    def _next(self, every_s: float) -> float:
        return self._rng.expovariate(1 / every_s) if every_s else math.inf

    def _new_boot_id(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))
