"""An event loop whose clock runs faster than the world's: minutes of back-off pass in seconds."""

from __future__ import annotations

import asyncio
import time
from typing import Any


class FastLoop(asyncio.SelectorEventLoop):
    """Its seconds pass ``speed`` times as fast; what real processes do takes its real time."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self._began = time.monotonic()
        selector: Any = self._selector  # type: ignore[attr-defined]  # asyncio's own
        self._really_select = selector.select
        selector.select = self._select

    def time(self) -> float:
        """Seconds since the loop was made, as it counts them."""
        return (time.monotonic() - self._began) * self.speed

    def _select(self, timeout_s: float | None) -> Any:
        return self._really_select(None if timeout_s is None else timeout_s / self.speed)


class FastClock:
    """A `Clock` that waits by the running loop, and shows the world's time."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        return time.time()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
