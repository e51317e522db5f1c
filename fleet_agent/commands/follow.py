"""Followed logs: chunks to the requester's inbox, for as long as it renews its lease."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_agent.commands.log_reading import bounded_reply
from fleet_agent.runtime.contract import LogLine, Role
from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import (
    FOLLOW_LEASE_S,
    HEADER_END,
    HEADER_SEQUENCE,
    LOGS_MAX_LINES,
)
from fleet_core.errors import FleetError, RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.commands.log_reading import LogSource
    from fleet_agent.runtime.contract import ContainerKey
    from fleet_core.clock import Clock
    from fleet_core.contracts.commands import LogsRequest
    from fleet_core.messaging import Connection

_log = logging.getLogger(__name__)
MAX_FOLLOWERS: Final = 8
"""On one device."""
POLL_S: Final = 0.5


@dataclass(slots=True)
class _Follower:
    request: LogsRequest
    key: ContainerKey
    reply: str
    renewed_at_s: float
    sequence: int = 0
    container_id: str = ""
    seen: list[LogLine] = field(default_factory=list)
    """The lines of the newest moment that was sent: a later read brings them again."""


class LogFollowers:
    """The followed logs of one device; each is a task that this object awaits on `close`."""

    def __init__(self, connection: Connection, source: LogSource, clock: Clock) -> None:
        self._connection = connection
        self._source = source
        self._clock = clock
        self._followers: dict[str, _Follower] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def follow(self, request: LogsRequest, key: ContainerKey, reply: str) -> None:
        """Begin to follow, or renew what the same request id follows already.

        Raises:
            RetryLaterError: this device has too many followers.
        """
        request_id = request.request_id or reply
        now_s = self._clock.monotonic()
        known = self._followers.get(request_id)
        if known is not None:
            known.renewed_at_s = now_s
            return
        if len(self._followers) >= MAX_FOLLOWERS:
            raise RetryLaterError(f"this device serves {MAX_FOLLOWERS} followed logs already")
        follower = _Follower(request, key, reply, now_s)
        self._followers[request_id] = follower
        task = asyncio.create_task(self._run(request_id, follower))
        self._tasks[request_id] = task

    async def close(self) -> None:
        """End all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, request_id: str, follower: _Follower) -> None:
        try:
            end = await self._stream(follower)
            await self._send(follower, [], end)
        except FleetError as error:
            _log.info("a followed log of %s ends: %s", follower.key.runtime_name, error)
        finally:
            del self._followers[request_id]
            del self._tasks[request_id]

    async def _stream(self, follower: _Follower) -> str:
        """Send chunks until there is a reason to end; returns it."""
        tail, since_s = follower.request.tail, self._since_s(follower.request)
        while self._clock.monotonic() - follower.renewed_at_s < FOLLOW_LEASE_S:
            found = await self._source.runtime.container_status(follower.key)
            if found is not None and found.container_id != follower.container_id:
                if follower.container_id:
                    tail, since_s = LOGS_MAX_LINES, None
                follower.container_id, follower.seen = found.container_id, []
            lines = await self._new_lines(follower, tail, since_s)
            if lines or not follower.sequence:
                await self._send(follower, lines)
            if lines:
                tail, since_s = LOGS_MAX_LINES, lines[-1].at_s
                follower.seen = [line for line in lines if line.at_s == since_s]
            if found is not None and found.role is Role.INIT and found.exit_code == 0:
                return "completed"
            await self._clock.sleep(POLL_S)
        return "the lease is over"

    def _since_s(self, request: LogsRequest) -> float | None:
        return None if request.since_s is None else self._clock.now() - request.since_s

    async def _new_lines(
        self, follower: _Follower, tail: int, since_s: float | None
    ) -> Sequence[LogLine]:
        try:
            lines = await self._source.read(
                follower.key, tail=tail, since_s=since_s, previous=False
            )
        except RetryLaterError:
            return []
        return [line for line in lines if line not in follower.seen]

    async def _send(self, follower: _Follower, lines: Sequence[LogLine], end: str = "") -> None:
        chunk = bounded_reply(lines, timestamps=follower.request.timestamps, tail=LOGS_MAX_LINES)
        headers = {HEADER_SEQUENCE: str(follower.sequence)}
        if end:
            headers[HEADER_END] = end
        follower.sequence += 1
        await self._connection.publish(follower.reply, encode(chunk), headers=headers)
