"""Where the fleet comes from: a NATS that is there, or a demo that is started for the session."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from fleet_core.operations.contexts import Context
from fleet_tui.demo import demo_fleet

if TYPE_CHECKING:
    from fleet_core.operations.live import LiveFleet

_PROGRAM = "fleet-tui"


class Opener(Protocol):
    """Opens the fleet of a session, once, and gives back what that took."""

    waiting: str
    """What to tell while it opens."""

    async def open(self) -> LiveFleet:
        """Return the fleet; raises FleetError where there is none to be had."""

    async def close(self) -> None:
        """End what was started for it; after the fleet itself was closed."""


class ContextOpener:
    """Connects to the NATS of a context, and goes on trying where it is not there yet."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.waiting = f"connecting to {', '.join(context.servers)} …"

    async def open(self) -> LiveFleet:
        """Return the fleet at once, connected or not."""
        # These take a quarter of a second to import: not before the first paint, nor between keys.
        for module in ("live", "registry"):
            await asyncio.to_thread(import_module, f"fleet_core.operations.{module}")
        from fleet_core.operations.live import LiveFleet  # noqa: PLC0415 - as said above

        return await LiveFleet.open(self._context, program=_PROGRAM, wait=False)

    async def close(self) -> None:
        """There is nothing to end."""


class DemoOpener:
    """Starts the demo's fleet on this machine."""

    def __init__(self, devices: int, *, read_only: bool) -> None:
        self._devices = devices
        self._read_only = read_only
        self._stack = AsyncExitStack()
        self.waiting = f"starting NATS, the operator and {devices:,} devices on this machine …"

    async def open(self) -> LiveFleet:
        """Return the fleet; raises BrokenError where the demo does not start."""
        url = await self._stack.enter_async_context(demo_fleet(self._devices))
        context = Context.of_url(url, name="demo")
        return await ContextOpener(replace(context, read_only=self._read_only)).open()

    async def close(self) -> None:
        """End the demo."""
        await self._stack.aclose()
