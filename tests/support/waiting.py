"""Waiting for conditions with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def eventually(
    predicate: Callable[[], object], *, timeout_s: float = 5, message: str = ""
) -> None:
    """Return as soon as the predicate holds; fail after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(message or f"did not hold within {timeout_s} s: {predicate}")
        await asyncio.sleep(0.01)


async def eventually_reads(
    read: Callable[[], Awaitable[object]], expected: object, *, timeout_s: float = 5
) -> None:
    """Return as soon as ``read`` gives what is expected; fail after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while (found := await read()) != expected:
        if time.monotonic() > deadline:
            raise AssertionError(f"within {timeout_s} s it did not become {expected}: {found}")
        await asyncio.sleep(0.05)


async def remains(
    read: Callable[[], Awaitable[object]], expected: object, *, for_s: float = 2
) -> None:
    """Return after ``for_s`` in which ``read`` gave what is expected each time; else fail."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        found = await read()
        if found != expected:
            raise AssertionError(f"it was to remain {expected} for {for_s} s, and became {found}")
        await asyncio.sleep(0.1)
