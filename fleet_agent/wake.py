"""A waker: one loop waits until it is woken or a time is over, without a task or a lock."""

from __future__ import annotations

import asyncio


class Wake:
    """Wakes at most one waiter; a call while nobody waits is remembered."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def __call__(self) -> None:
        """Wake whoever waits, now or next."""
        self._is_set = True
        self._finish()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return when woken, at once if that happened before, or after ``timeout_s``."""
        if not self._is_set:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = None if timeout_s is None else loop.call_later(timeout_s, self._finish)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        self._is_set = False

    def _finish(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
