"""The link by the library's public face alone: for a nats-py whose internals are not known.

Slower (11 µs a message), and a subject that is not UTF-8 ends the link, until it is made anew.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from typing import TYPE_CHECKING

from nats import errors

from fleet_core.errors import InvalidInputError
from fleet_core.messaging import link, protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from fleet_core.messaging.protocol import Message

_log = logging.getLogger(__name__)


class StockLink:
    """A link whose commands are carried out one after another by a task."""

    def __init__(self, client: Client, on_lost: Callable[[], None]) -> None:
        self._client = client
        self._on_lost = on_lost
        self._commands: deque[tuple[int, Callable[[], Awaitable[None]]]] = deque()
        self._waiting_bytes = 0
        self._subscriptions: dict[int, Subscription] = {}
        self._numbers = itertools.count(1)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def opened(self) -> None:
        """Start the task that carries out the commands."""
        self._task = asyncio.create_task(self._carry_out(), name="nats-commands")
        self._task.add_done_callback(lambda _: self._on_lost())

    @property
    def is_alive(self) -> bool:
        """As in `Link`."""
        return self._client.is_connected and self._task is not None and not self._task.done()

    @property
    def is_busy(self) -> bool:
        """As in `Link`."""
        return self._waiting_bytes > link.BUSY_BYTES

    @property
    def last_error(self) -> str | None:
        """As in `Link`."""
        error = self._client.last_error
        return str(error) or type(error).__name__ if error else None

    def publish(
        self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None
    ) -> None:
        """As in `Link`."""
        size = len(protocol.publish_command(subject, reply, payload, headers))
        if len(payload) > self._client.max_payload:
            raise InvalidInputError(
                f"the payload for {subject} has {len(payload)} bytes",
                expected=f"at most the server's max_payload of {self._client.max_payload} bytes",
            )
        if self._waiting_bytes > link.FULL_BYTES:
            raise link.full()
        carried = dict(headers) if headers else None
        self._then(lambda: self._client.publish(subject, payload, reply, carried), size)

    def subscribe(self, subject: str, queue: str, callback: Callable[[Message], None]) -> int:
        """As in `Link`."""
        number = next(self._numbers)

        async def take(msg: Msg) -> None:
            headers = {str(name): value for name, value in (msg.headers or {}).items()} or None
            try:
                callback(protocol.Message(msg.subject, msg.data, msg.reply, headers))
            except Exception:  # noqa: BLE001 - a callback's bug must not end the subscription
                _log.exception("a callback failed on %s", msg.subject)

        async def begin() -> None:
            self._subscriptions[number] = await self._client.subscribe(subject, queue, take)

        self._then(begin)
        return number

    def unsubscribe(self, number: int) -> None:
        """As in `Link`."""

        async def end() -> None:
            subscription = self._subscriptions.pop(number, None)
            if subscription is not None:
                await subscription.unsubscribe()

        self._then(end)

    def ping(self, on_pong: Callable[[float], None]) -> None:
        """Measure nothing: a round trip of the library that times out can end its read loop."""

    async def flushed(self) -> None:
        """As in `Link`."""
        if self._commands and self.is_alive:
            self._idle.clear()
            await self._idle.wait()

    async def close(self) -> None:
        """As in `Link`."""
        try:
            async with asyncio.timeout(link.CLOSE_TIMEOUT_S):
                if self.is_alive:
                    await self.flushed()
                await self._client.close()
        except (errors.Error, OSError, TimeoutError, AttributeError, AssertionError) as error:
            _log.debug("closing a broken client: %s", error)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._idle.set()

    def _then(self, command: Callable[[], Awaitable[None]], size: int = 0) -> None:
        self._commands.append((size, command))
        self._waiting_bytes += size
        self._wake.set()

    async def _carry_out(self) -> None:
        try:
            while self._client.is_connected:
                while self._commands:
                    size, command = self._commands.popleft()
                    self._waiting_bytes -= size
                    await command()
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
        except (errors.Error, OSError) as error:
            _log.debug("the link broke: %s", error)
        finally:
            self._idle.set()
