"""Request and reply: one inbox wildcard per connection, single requests and scatters over many."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.errors import CannotConnectError, DeviceOfflineError, DeviceTimeoutError, FleetError
from fleet_core.messaging.settings import LinkState, LinkStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from fleet_core.messaging.connection import Connection, Subscription
    from fleet_core.messaging.protocol import Message

STATUS_HEADER: Final = "Status"
NO_RESPONDERS: Final = "503"
_YIELD_EVERY: Final = 200
"""Requests sent between two turns of the event loop, so that replies are read meanwhile."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and how long it took."""

    data: bytes
    headers: Mapping[str, str]
    rtt_ms: float


class RequestClient:
    """Sends requests over a connection; a reply's last token tells which request it answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inbox = connection.new_inbox()
        self._numbers = itertools.count()
        self._waiting: dict[str, Callable[[Message | None], None]] = {}
        self._subscription: Subscription | None = None

    async def request(
        self,
        subject: str,
        payload: bytes,
        timeout_s: float,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request and return its reply.

        Raises:
            DeviceOfflineError: the server knows of nobody who listens there; known at once.
            DeviceTimeoutError: no reply in time; the request may still have been acted on.
            CannotConnectError: there is no link, or it was lost while waiting.
        """
        await self._listen()
        answer: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

        def settle(message: Message | None) -> None:
            if not answer.done():
                answer.set_result(message)

        token = self._expect(settle)
        sent_at = time.perf_counter()
        try:
            reply_to = f"{self._inbox}.{token}"
            await self._connection.publish(subject, payload, reply=reply_to, headers=headers)
            async with asyncio.timeout(timeout_s):
                message = await answer
        except TimeoutError as error:
            raise _timed_out(subject, timeout_s) from error
        finally:
            self._waiting.pop(token, None)
        return _reply(message, subject, sent_at)

    async def scatter(
        self, requests: Sequence[tuple[str, str, bytes]], *, timeout_s: float
    ) -> AsyncGenerator[tuple[str, Reply | FleetError], None]:
        """Send (key, subject, payload) requests and yield (key, reply or error) as they arrive.

        Every key is yielded once: what has not answered ``timeout_s`` after the last request was
        sent is yielded as a DeviceTimeoutError.

        Raises:
            CannotConnectError: there is no link, or it was lost while sending.
        """
        await self._listen()
        arrived: asyncio.Queue[tuple[str, Reply | FleetError]] = asyncio.Queue()
        open_tokens: dict[str, tuple[str, str]] = {}
        sending = asyncio.create_task(self._send_all(requests, open_tokens, arrived))
        try:
            deadline: float | None = None
            for _ in range(len(requests)):
                if deadline is None and sending.done():
                    sending.result()
                    deadline = time.monotonic() + timeout_s
                item = await self._next(arrived, sending, deadline, timeout_s)
                if item is None:
                    break
                yield item
            for key, subject in open_tokens.values():
                yield key, _timed_out(subject, timeout_s)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            for token in open_tokens:
                self._waiting.pop(token, None)

    async def _next(
        self,
        arrived: asyncio.Queue[tuple[str, Reply | FleetError]],
        sending: asyncio.Task[None],
        deadline: float | None,
        timeout_s: float,
    ) -> tuple[str, Reply | FleetError] | None:
        if not arrived.empty():
            return arrived.get_nowait()
        if deadline is None:
            getting = asyncio.ensure_future(arrived.get())
            try:
                await asyncio.wait({getting, sending}, return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    return getting.result()
            finally:
                getting.cancel()
            sending.result()
            deadline = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                return await arrived.get()
        except TimeoutError:
            return None

    async def _send_all(
        self,
        requests: Sequence[tuple[str, str, bytes]],
        open_tokens: dict[str, tuple[str, str]],
        arrived: asyncio.Queue[tuple[str, Reply | FleetError]],
    ) -> None:
        for count, (key, subject, payload) in enumerate(requests, start=1):
            token = self._expect_scattered(key, subject, open_tokens, arrived)
            await self._connection.publish(subject, payload, reply=f"{self._inbox}.{token}")
            if count % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _expect_scattered(
        self,
        key: str,
        subject: str,
        open_tokens: dict[str, tuple[str, str]],
        arrived: asyncio.Queue[tuple[str, Reply | FleetError]],
    ) -> str:
        sent_at = time.perf_counter()

        def settle(message: Message | None) -> None:
            self._waiting.pop(token, None)
            if open_tokens.pop(token, None) is None:
                return
            try:
                arrived.put_nowait((key, _reply(message, subject, sent_at)))
            except FleetError as error:
                arrived.put_nowait((key, error))

        token = self._expect(settle)
        open_tokens[token] = (key, subject)
        return token

    def _expect(self, settle: Callable[[Message | None], None]) -> str:
        token = str(next(self._numbers))
        self._waiting[token] = settle
        return token

    async def _listen(self) -> None:
        if self._subscription is None:
            self._connection.on_change(self._link_changed)
            self._subscription = await self._connection.subscribe(
                f"{self._inbox}.*", self._take_reply
            )

    def _take_reply(self, message: Message) -> None:
        settle = self._waiting.get(message.subject.rpartition(".")[2])
        if settle is not None:
            settle(message)

    def _link_changed(self, status: LinkStatus) -> None:
        """Give up what waits for a reply over a link that is gone."""
        if status.state is not LinkState.CONNECTED:
            for settle in list(self._waiting.values()):
                settle(None)


def _reply(message: Message | None, subject: str, sent_at: float) -> Reply:
    if message is None:
        raise CannotConnectError(
            "the link to NATS was lost while waiting for an answer",
            remedy="it may still have acted",
        )
    headers = message.headers or {}
    if not message.data and headers.get(STATUS_HEADER) == NO_RESPONDERS:
        raise DeviceOfflineError(f"nobody answers on {subject}")
    return Reply(message.data, headers, (time.perf_counter() - sent_at) * 1_000)


def _timed_out(subject: str, timeout_s: float) -> DeviceTimeoutError:
    return DeviceTimeoutError(
        f"no answer on {subject} within {timeout_s:g} s", remedy="it may still have acted"
    )
