"""A device that only answers for its logs, word for word as a test wants it, over a real server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import (
    HEADER_END,
    HEADER_SEQUENCE,
    LogsReply,
    LogsRequest,
    Verb,
    command_subject,
)
from fleet_core.messaging import Connection, ConnectionSettings, Message, connect
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from types import TracebackType

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def stamped(second: float, text: str) -> str:
    """Return a line of a log, so many seconds after noon."""
    at = datetime.fromtimestamp(START_S + second, UTC).isoformat(timespec="milliseconds")
    return f"{at.replace('+00:00', 'Z')} {text}"


class LogDevice:
    """Takes requests for logs, and sends what it is told to the last of them."""

    def __init__(self, url: str, device_id: str) -> None:
        self.requests: list[LogsRequest] = []
        self._url = url
        self._device_id = device_id
        self._reply_to = ""
        self._sequence = 0

    async def __aenter__(self) -> Self:
        self._connection: Connection = await connect(ConnectionSettings((self._url,)))
        subject = command_subject(self._device_id, Verb.LOGS)
        await self._connection.subscribe(subject, self._take)
        # A subscription is known to the server once a message to oneself has come back.
        answered: list[Message] = []
        inbox = self._connection.new_inbox()
        await self._connection.subscribe(inbox, answered.append)
        await self._connection.publish(inbox, b"")
        await eventually(lambda: answered)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._connection.close()

    def _take(self, message: Message) -> None:
        request = decode(LogsRequest, message.data)
        if not self.requests or self.requests[-1].request_id != request.request_id:
            self._sequence = 0
        self.requests.append(request)
        self._reply_to = message.reply

    async def asked(self, count: int = 1) -> LogsRequest:
        """Return the newest request, once there were so many."""
        await eventually(lambda: len(self.requests) >= count)
        return self.requests[-1]

    async def say(self, *lines: str, truncated: bool = False, end: str | None = None) -> None:
        """Send a chunk."""
        headers = {HEADER_SEQUENCE: str(self._sequence)}
        self._sequence += 1
        if end is not None:
            headers[HEADER_END] = end
        reply = encode(LogsReply(lines=list(lines), truncated=truncated))
        await self._connection.publish(self._reply_to, reply, headers=headers)

    def lose(self, chunks: int) -> None:
        """Lose chunks on the way."""
        self._sequence += chunks

    def begin_anew(self) -> None:
        """Count from 0 again, as after a restart."""
        self._sequence = 0
