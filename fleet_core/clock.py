"""The clock seam: monotonic time for waiting, wall time for showing, a sleep that tests drive."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the long-running loops know of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""

    def now(self) -> float:
        """Seconds since the Unix epoch, as this machine believes; for showing only."""

    async def sleep(self, delay_s: float) -> None:
        """Return after ``delay_s`` seconds of monotonic time."""


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds from `time.monotonic`."""
        return time.monotonic()

    def now(self) -> float:
        """Seconds from `time.time`."""
        return time.time()

    async def sleep(self, delay_s: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(delay_s)
