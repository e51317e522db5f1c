"""The demo behind the terminal UI: ``fleet demo`` as a child that ends with this process."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable
from fleet_core.errors import BrokenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_TIMEOUT_S: Final = 60.0
END_TIMEOUT_S: Final = 15.0
_LINES_KEPT: Final = 30
_LINE_MAX_BYTES: Final = 64 * 1024


@asynccontextmanager
async def demo_fleet(devices: int) -> AsyncIterator[str]:
    """Run a live fleet on this machine; gives the URL of its NATS.

    The child holds the other end of a pipe to us: however we end, it ends too, and clears up.

    Raises:
        BrokenError: it did not come up.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_core.cli", "demo", str(devices), "--until-eof"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # ctrl+c on the terminal is for the UI alone
        limit=_LINE_MAX_BYTES,
    )
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    listening = asyncio.create_task(_listen(child, said), name="demo-stderr")
    try:
        yield await _url(child, said, listening)
    finally:
        await _end(child)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _url(
    child: asyncio.subprocess.Process, said: deque[str], listening: asyncio.Task[None]
) -> str:
    assert child.stdout is not None  # noqa: S101 - it was asked for above
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await child.stdout.readline()
    except TimeoutError as error:
        raise BrokenError(f"the demo did not start within {START_TIMEOUT_S:g} s") from error
    url = line.decode(errors="replace").strip()
    if not url:
        await asyncio.wait({listening}, timeout=1.0)
        why = said[-1] if said else "it said nothing"
        raise BrokenError(
            f"the demo did not start: {why}", remedy="run `fleet demo` to see all that it says"
        )
    return url


async def _listen(child: asyncio.subprocess.Process, said: deque[str]) -> None:
    assert child.stderr is not None  # noqa: S101 - as above
    while line := await child.stderr.readline():
        said.append(printable(line.decode(errors="replace").strip(), 500))


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            await child.wait()
    except TimeoutError:
        # Its guardian clears up what it leaves.
        child.kill()
        await child.wait()
