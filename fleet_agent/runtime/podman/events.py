"""podman's events, followed: an endless answer to one request, read on the event loop.

podman-py reads it in a thread that cannot be ended while nothing happens; so this speaks the few
words of HTTP/1.1 itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fleet_agent.runtime.contract import RuntimeUnavailableError
from fleet_agent.runtime.podman.seeing import key_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fleet_agent.runtime.contract import ContainerKey
    from fleet_agent.runtime.podman.service import PodmanService

_log = logging.getLogger(__name__)
RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
MAX_LINE_BYTES: Final = 256 * 1024
_FILTERS: Final = quote(json.dumps({"type": ["container"]}))
_REQUEST: Final = (
    f"GET /v4.0.0/libpod/events?stream=true&filters={_FILTERS} HTTP/1.1\r\nHost: podman\r\n\r\n"
)


class PodmanEvents:
    """Tells of each event of a container of ours, until it is closed."""

    def __init__(
        self,
        service: PodmanService,
        happened: Callable[[ContainerKey, str], None],
        missed: Callable[[], None],
    ) -> None:
        """Have ``missed`` called whenever events may have gone by unheard."""
        self._service = service
        self._happened = happened
        self._missed = missed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow, unless that was done."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="podman-events")

    async def close(self) -> None:
        """End."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        retry_s = RETRY_S
        heard_before = False
        while True:
            try:
                async with _events(await self._service.address()) as events:
                    if heard_before:
                        self._missed()
                    heard_before = True
                    async for event in events:
                        retry_s = RETRY_S
                        self._take(event)
            except RuntimeUnavailableError as error:
                _log.info("podman's events are not heard: %s", error)
            except (OSError, EOFError, ValueError) as error:
                # Before its socket is doubted, the calls of the reconciler must have failed.
                _log.info("podman's events ended: %r", error)
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    def _take(self, event: Any) -> None:
        actor = event.get("Actor") if isinstance(event, dict) else None
        key = key_of((actor or {}).get("Attributes") or {})
        if key is not None:
            self._happened(key, str(event.get("Action") or event.get("status") or ""))


@asynccontextmanager
async def _events(socket: Path) -> AsyncIterator[AsyncIterator[Any]]:
    """Open the stream of events; those of before are not in it."""
    reader, writer = await asyncio.open_unix_connection(socket, limit=MAX_LINE_BYTES)
    try:
        writer.write(_REQUEST.encode())
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise OSError(f"podman refused: {head[:100]!r}")
        yield _lines(reader)
    finally:
        writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[Any]:
    pending = b""
    while chunk := await _chunk(reader):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in filter(None, lines):
            yield json.loads(line)
        if len(pending) > MAX_LINE_BYTES:
            raise ValueError("an event without an end")


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """Return one chunk of a chunked body (RFC 9112, 7.1); empty at its end."""
    size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
    if size > MAX_LINE_BYTES:
        raise ValueError(f"a chunk of {size} bytes")
    chunk = await reader.readexactly(size + 2)
    return chunk[:-2]
