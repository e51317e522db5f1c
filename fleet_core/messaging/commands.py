"""A device's side of commands: one subscription, a worker for each verb, requests done once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import (
    MUTATING_VERBS,
    ErrorDetail,
    ErrorReply,
    command_filter,
)
from fleet_core.contracts.text import printable
from fleet_core.errors import BrokenError, FleetError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_core.messaging.connection import Connection
    from fleet_core.messaging.protocol import Message

    Handler = Callable[[bytes, Message], Awaitable[bytes | None]]

_log = logging.getLogger(__name__)
_QUEUE_LENGTH: Final = 64
"""Commands of one verb that wait; a further one is answered with ``retry-later``."""
_REMEMBERED_REQUESTS: Final = 256
_REMEMBERED_BYTES: Final = 4 * 1024 * 1024
_ERROR_MAX_CHARS: Final = 2_048
_UNKNOWN: Final = ""
_FORBIDDEN_HEADERS: Final = frozenset({"Nats-Stream", "Nats-Subject"})
"""A direct get with a command's subject as its reply delivers stored bytes as if they were a
command (tried on 2.15.1); those messages carry these headers."""


class CommandServer:
    """Answers the commands to one device."""

    def __init__(self, connection: Connection, device_id: str) -> None:
        self.refused = 0
        """Messages that were no commands, and commands beyond the queue's length."""
        self._connection = connection
        self._device_id = device_id
        self._handlers: dict[str, Handler] = {}
        self._queues: dict[str, asyncio.Queue[Message]] = {}
        self._done: OrderedDict[str, bytes] = OrderedDict()
        self._done_bytes = 0
        self._workers: asyncio.TaskGroup | None = None

    def handle(self, verb: str, handler: Handler) -> None:
        """Have a verb answered by ``handler``; a FleetError it raises is the error reply.

        A handler that returns None sends what there is to send itself, as a followed log is.
        """
        self._handlers[verb] = handler

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as self._workers:
            subscription = await self._connection.subscribe(
                command_filter(self._device_id), self._take
            )
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await subscription.unsubscribe()

    def _take(self, message: Message) -> None:
        verb = message.subject.rpartition(".")[2]
        if not message.reply or _FORBIDDEN_HEADERS & (message.headers or {}).keys():
            self.refused += 1
            return
        if verb not in self._handlers:
            # One queue answers all unknown verbs, so that they cannot fill the memory.
            verb = _UNKNOWN
        try:
            self._queue(verb).put_nowait(message)
        except asyncio.QueueFull:
            self.refused += 1

    def _queue(self, verb: str) -> asyncio.Queue[Message]:
        """Return the verb's queue; its worker starts with its first command."""
        queue = self._queues.get(verb)
        if queue is None:
            queue = self._queues[verb] = asyncio.Queue(_QUEUE_LENGTH)
            if self._workers is not None:
                self._workers.create_task(self._work(verb, queue))
        return queue

    async def _work(self, verb: str, queue: asyncio.Queue[Message]) -> None:
        while True:
            message = await queue.get()
            reply = await self._answer(verb, message)
            if reply is None:
                continue
            try:
                await self._connection.publish(message.reply, reply)
            except FleetError as error:
                _log.warning("the answer to %s could not be sent: %s", message.subject, error)

    async def _answer(self, verb: str, message: Message) -> bytes | None:
        handler = self._handlers.get(verb)
        if handler is None:
            named = printable(message.subject.rpartition(".")[2], 64)
            return error_reply(RefusedError(f"this device does not do {named!r}"))
        request_id = _request_id(message.data) if verb in MUTATING_VERBS else None
        if request_id is not None and request_id in self._done:
            return self._done[request_id]
        try:
            reply = await handler(message.data, message)
        except FleetError as error:
            return error_reply(error)
        except Exception:  # noqa: BLE001 - one command's bug must not end the verb; the requester is told
            _log.exception("the command %s failed", message.subject)
            return error_reply(BrokenError("the agent failed on this command; its log says why"))
        if request_id is not None and reply is not None:
            self._remember(request_id, reply)
        return reply

    def _remember(self, request_id: str, reply: bytes) -> None:
        self._done[request_id] = reply
        self._done_bytes += len(reply)
        while len(self._done) > _REMEMBERED_REQUESTS or self._done_bytes > _REMEMBERED_BYTES:
            _, forgotten = self._done.popitem(last=False)
            self._done_bytes -= len(forgotten)


def error_reply(error: FleetError) -> bytes:
    """Return the error as the reply that stands in place of a result."""
    message = str(error)[:_ERROR_MAX_CHARS]
    return encode(ErrorReply(error=ErrorDetail(kind=error.kind, message=message)))


def _request_id(payload: bytes) -> str | None:
    """Return the request id that a payload carries; the handler judges the payload itself."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    found = body.get("request_id") if isinstance(body, dict) else None
    return found if isinstance(found, str) else None
