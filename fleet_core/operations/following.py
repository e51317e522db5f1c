"""Following a log: chunks as the device sends them, the lease renewed, every gap told.

The device sends chunks to the request's inbox, numbered from 0. It stops `FOLLOW_LEASE_S` after it
last received the request, so the same request is sent again well before that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import (
    FOLLOW_LEASE_S,
    HEADER_END,
    HEADER_SEQUENCE,
    Verb,
    command_subject,
)
from fleet_core.contracts.text import printable
from fleet_core.errors import CannotConnectError, DeviceOfflineError, DeviceTimeoutError
from fleet_core.messaging.requests import NO_RESPONDERS, STATUS_HEADER
from fleet_core.operations.logs import logs_request, read_log_page
from fleet_core.operations.plans import new_operation_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.messaging import Message
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Request

RENEW_EVERY_S: Final = FOLLOW_LEASE_S / 3
"""Two renewals may be lost before the lease runs out."""
MAX_WAITING_CHUNKS: Final = 256
"""Chunks that a slow reader may be behind; older ones are dropped, and told as missed."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some lines of a followed log, inert in a terminal."""

    lines: tuple[str, ...]
    missed: int = 0
    """Chunks that were lost before this one: on the way, or because the reader was slow."""
    truncated: bool = False
    """Older lines were left out."""
    restarted: bool = False
    """The device began anew, as after its restart; lines may be repeated."""
    end: str | None = None
    """Why the log ends here; None while it goes on."""


class _Inbox:
    """Takes messages from the read loop; the reader takes them from here."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque(maxlen=MAX_WAITING_CHUNKS)
        self.arrived = asyncio.Event()

    def take(self, message: Message) -> None:
        self.messages.append(message)
        self.arrived.set()

    async def wait(self, timeout_s: float) -> bool:
        """Return whether there is a message, after at most so long."""
        self.arrived.clear()
        if not self.messages:
            try:
                async with asyncio.timeout(timeout_s):
                    await self.arrived.wait()
            except TimeoutError:
                return False
        return True


async def follow_logs(
    fleet: LiveFleet, device: str, request: Request, *, renew_every_s: float = RENEW_EVERY_S
) -> AsyncGenerator[LogChunk, None]:
    """Yield the last lines of a log, then each further chunk, until it ends.

    Close the generator (`contextlib.aclosing`) to stop; the device's lease then runs out.

    Raises:
        DeviceOfflineError: nobody answers for the device, now or any more.
        DeviceTimeoutError: the device did not begin within the request's ``timeout_s``.
        FleetError: the device refused, with the kind of error that it told.
        CannotConnectError: there is no link at the start.
    """
    payload = encode(logs_request(request, request_id=new_operation_id()))
    subject = command_subject(device, Verb.LOGS)
    inbox, reply_to = _Inbox(), fleet.connection.new_inbox()
    subscription = await fleet.connection.subscribe(reply_to, inbox.take)
    reader = _ChunkReader(device)
    try:
        await fleet.connection.publish(subject, payload, reply=reply_to)
        sent_at = began_at = time.monotonic()
        while True:
            due_s = max(0.0, sent_at + renew_every_s - time.monotonic())
            if not reader.begun:
                due_s = min(due_s, request.timeout_s)
            if await inbox.wait(due_s):
                chunk = reader.read(inbox.messages.popleft())
                if chunk is not None:
                    yield chunk
                    if chunk.end is not None:
                        return
            if not reader.begun and time.monotonic() - began_at >= request.timeout_s:
                raise DeviceTimeoutError(f"{device} did not answer within {request.timeout_s:g} s")
            if time.monotonic() - sent_at >= renew_every_s:
                sent_at = time.monotonic()
                await _renew(fleet, subject, payload, reply_to)
    finally:
        await subscription.unsubscribe()


async def _renew(fleet: LiveFleet, subject: str, payload: bytes, reply_to: str) -> None:
    try:
        await fleet.connection.publish(subject, payload, reply=reply_to)
    except CannotConnectError:
        # The link is made anew by itself; the next renewal finds out what became of the log.
        return


class _ChunkReader:
    """Tells from the sequence numbers what was lost."""

    def __init__(self, device: str) -> None:
        self.begun = False
        self._device = device
        self._expected = 0

    def read(self, message: Message) -> LogChunk | None:
        """Return the chunk of a message; None for one that says nothing.

        Raises:
            FleetError: the device tells an error, or nobody answers for it.
        """
        headers = message.headers or {}
        if not message.data and headers.get(STATUS_HEADER) == NO_RESPONDERS:
            raise DeviceOfflineError(f"{self._device} is offline: nobody answers for it")
        page = read_log_page(message.data)
        self.begun = True
        end = headers.get(HEADER_END)
        number = headers.get(HEADER_SEQUENCE, "")
        if not number.isascii() or not number.isdecimal():
            # The bare answer to a renewal: the device still follows.
            return LogChunk(page.lines, truncated=page.truncated) if page.lines else None
        sequence = int(number[:18])
        restarted = sequence < self._expected
        missed = 0 if restarted else sequence - self._expected
        self._expected = sequence + 1
        return LogChunk(
            page.lines,
            missed=missed,
            truncated=page.truncated,
            restarted=restarted,
            end=None if end is None else printable(end, 200),
        )
