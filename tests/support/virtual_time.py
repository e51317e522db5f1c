"""An event loop whose time is made up: it jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

EPOCH_S: Final = 1_800_000_000.0
_IDLE_LIMIT: Final = 1_000
"""So many empty turns in a row mean that nothing will ever happen again."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs hours of timers in milliseconds; for code that waits on the loop alone."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._idle_turns = 0
        selector: Any = self._selector  # type: ignore[attr-defined]  # asyncio's own
        self._really_select = selector.select
        selector.select = self._select

    def time(self) -> float:
        """Seconds since the loop was made, as far as it pretends."""
        return self._now_s

    def _select(self, timeout_s: float | None) -> Any:
        ready = self._really_select(0)
        if ready or timeout_s == 0:
            self._idle_turns = 0
            return ready
        if timeout_s is None:
            self._idle_turns += 1
            if self._idle_turns > _IDLE_LIMIT:
                raise RuntimeError("everything waits for something that will never happen")
            return ready
        self._idle_turns = 0
        self._now_s += timeout_s
        return ready


class VirtualClock:
    """A `Clock` that reads the running loop's time."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        return EPOCH_S + asyncio.get_running_loop().time()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Have a test run in made-up time, on a loop of its own."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*arguments, **named))

    # pytest-asyncio takes whatever still looks like a coroutine function for its own.
    del run.__wrapped__  # type: ignore[attr-defined]
    run.__signature__ = signature(test)  # type: ignore[attr-defined]  # for pytest's fixtures
    return run
