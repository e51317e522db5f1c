"""The link as it is used with the nats-py whose internals are known.

The library makes the connection (TLS, credentials, handshake) and runs its loops (read, flush,
ping). What is sent and received does not take the library's way:

- *Receiving* is `LineReader`'s: a plain function per subscription, in place of a queue and a task
  (ten thousand devices in one process would own thirty thousand tasks).
- *Sending* appends to the library's pending commands. Its own ``publish`` may wait inside a block
  that swallows ``CancelledError``: a task that is cancelled there would live on.
- *Closing* gives a frozen peer one second: the library waits for ever for its buffer to drain.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any, Final

import nats.aio.client
from nats import errors

from fleet_core.errors import InvalidInputError
from fleet_core.messaging import link, protocol
from fleet_core.messaging.line_reader import LineReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nats.aio.client import Client

    from fleet_core.messaging.protocol import Message

KNOWN_VERSION: Final = "2.16."
"""The private names below are those of this minor version."""


def is_known() -> bool:
    """Tell whether the installed nats-py is the one that this module was written for."""
    return nats.aio.client.__version__.startswith(KNOWN_VERSION)


class FastLink:
    """A link that reads and writes the client's buffers itself."""

    def __init__(self, client: Client, on_lost: Callable[[], None]) -> None:
        self._client: Any = client  # its private names have no types
        self._on_lost = on_lost
        self._reader = client._ps = LineReader(client)
        self._numbers = itertools.count(1)
        self._flush: asyncio.Future[None] | None = None

    def opened(self) -> None:
        """Watch the client's tasks: each may end without a word while the client says it lives."""
        for task in self._tasks():
            task.add_done_callback(lambda _: self._lost())

    @property
    def is_alive(self) -> bool:
        """As in `Link`."""
        return self._client.is_connected and not any(task.done() for task in self._tasks())

    @property
    def is_busy(self) -> bool:
        """As in `Link`."""
        return bool(self._client._pending_data_size > link.BUSY_BYTES)

    @property
    def last_error(self) -> str | None:
        """As in `Link`."""
        error = self._client.last_error
        return str(error) or type(error).__name__ if error else None

    def publish(
        self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None
    ) -> None:
        """As in `Link`."""
        command = protocol.publish_command(subject, reply, payload, headers)
        if len(payload) > self._client.max_payload:
            raise InvalidInputError(
                f"the payload for {subject} has {len(payload)} bytes",
                expected=f"at most the server's max_payload of {self._client.max_payload} bytes",
            )
        if self._client._pending_data_size > link.FULL_BYTES:
            raise link.full()
        self._send(command)

    def subscribe(self, subject: str, queue: str, callback: Callable[[Message], None]) -> int:
        """As in `Link`."""
        number = next(self._numbers)
        self._reader.callbacks[b"%d" % number] = callback
        self._send(protocol.subscribe_command(subject, queue, number))
        return number

    def unsubscribe(self, number: int) -> None:
        """As in `Link`."""
        if self._reader.callbacks.pop(b"%d" % number, None) is not None:
            self._send(protocol.unsubscribe_command(number))

    def ping(self, on_pong: Callable[[float], None]) -> None:
        """As in `Link`."""
        sent_at = time.perf_counter()
        pong = asyncio.get_running_loop().create_future()
        pong.add_done_callback(lambda _: on_pong((time.perf_counter() - sent_at) * 1_000))
        # Never cancelled: the library sets its result, and would end its read loop on a failure.
        self._client._pongs.append(pong)
        self._send(b"PING\r\n")

    async def flushed(self) -> None:
        """As in `Link`."""
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_future()
            self._client._flush_queue.put_nowait(self._flush)
        if self.is_alive:
            await asyncio.shield(self._flush)

    async def close(self) -> None:
        """As in `Link`."""
        transport = self._socket()
        if not self.is_alive and transport is not None:
            transport.abort()
        try:
            async with asyncio.timeout(link.CLOSE_TIMEOUT_S):
                await self._client.close()
        except (errors.Error, OSError, TimeoutError, AttributeError, AssertionError):
            # It was not open, or the peer does not take what is left: either way it ends here.
            if transport is not None:
                transport.abort()
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lost()

    def _send(self, command: bytes) -> None:
        client = self._client
        client._pending.append(command)
        client._pending_data_size += len(command)
        if client._flush_queue.empty():
            client._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    def _tasks(self) -> list[asyncio.Task[Any]]:
        client = self._client
        tasks = (client._reading_task, client._flusher_task, client._ping_interval_task)
        return [task for task in tasks if task is not None]

    def _socket(self) -> asyncio.WriteTransport | None:
        writer = getattr(self._client._transport, "_io_writer", None)
        found: asyncio.WriteTransport | None = writer.transport if writer is not None else None
        return found

    def _lost(self) -> None:
        if self._flush is not None and not self._flush.done():
            self._flush.set_result(None)
        self._on_lost()
