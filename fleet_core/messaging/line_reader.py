"""Reads the server's lines, and hands each message to its subscription's function at once.

The library's own parser costs 5 µs a message and a queue with a task per subscription; and one
message whose subject is not UTF-8, or holds a vertical tab, ends its read loop. A device can
publish such a subject: the stored message would end every reader of the bucket, again and again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from nats.errors import ProtocolError
from nats.protocol.parser import Parser

from fleet_core.messaging.protocol import Message, parse_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nats.aio.client import Client

_log = logging.getLogger(__name__)
_LINE_MAX_BYTES: Final = 1024 * 1024
"""No line of the server is longer: its INFO is a few kilobytes, a message's line under five."""
_PAYLOAD_MAX_BYTES: Final = 64 * 1024 * 1024
"""The most that a server's ``max_payload`` can be."""
_ARGUMENTS_MIN: Final = 3
_ARGUMENTS_MAX: Final = 4
"""Subject, subscription, a reply perhaps, size; with headers their size comes before it."""


class LineReader(Parser):
    """Takes the place of the library's parser, and leaves to it what is no message."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.callbacks: dict[bytes, Callable[[Message], None]] = {}
        """By the subscription's number as the server writes it."""

    def reset(self) -> None:
        """Forget what has been read of an unfinished line."""
        super().reset()
        self._rest = bytearray()
        self._wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        """Take what was read from the socket, wherever it was cut.

        Raises:
            ProtocolError: the server does not speak NATS; the link is of no use any more.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        position = 0
        other: bytes | None = b""
        while other is not None:
            try:
                position, other = self._read_messages(data, position)
            except (ValueError, IndexError) as error:
                raise ProtocolError("nats: malformed MSG") from error
            if other is not None:
                await super().parse(other)
        self._rest += data[position:]
        if self._wanted == 0 and len(self._rest) > _LINE_MAX_BYTES:
            raise ProtocolError("nats: endless line")

    def _read_messages(self, data: bytes, position: int) -> tuple[int, bytes | None]:
        """Deliver messages; return where they end, and the other line that stands there."""
        self._wanted = 0
        available, callbacks = len(data), self.callbacks
        while (line_end := data.find(b"\r\n", position)) >= 0:
            start = line_end + 2
            if data.startswith(b"MSG ", position):
                arguments = data[position + 4 : line_end].split(b" ")
                with_headers = 0
            elif data.startswith(b"HMSG ", position):
                arguments = data[position + 5 : line_end].split(b" ")
                with_headers = 1
            else:
                return start, data[position:start]
            count = len(arguments) - with_headers
            size = int(arguments[-1])
            if not _ARGUMENTS_MIN <= count <= _ARGUMENTS_MAX or not 0 <= size <= _PAYLOAD_MAX_BYTES:
                raise ValueError("arguments")
            end = start + size
            if end + 2 > available:
                self._wanted = end + 2 - position
                break
            position = end + 2
            callback = callbacks.get(arguments[1])
            if callback is not None:
                reply = arguments[2] if count == _ARGUMENTS_MAX else b""
                split_at = start + int(arguments[-2]) if with_headers else start
                headers = parse_headers(data[start:split_at]) if with_headers else None
                _deliver(callback, arguments[0], reply, data[split_at:end], headers)
        return position, None


def _deliver(
    callback: Callable[[Message], None],
    subject: bytes,
    reply: bytes,
    body: bytes,
    headers: Mapping[str, str] | None,
) -> None:
    message = Message(
        subject.decode("utf-8", "replace"), body, reply.decode("utf-8", "replace"), headers
    )
    try:
        callback(message)
    except Exception:  # noqa: BLE001 - the read loop of the whole connection must outlive one bad message
        _log.exception("a callback failed on %s", message.subject)
