"""Acknowledged writes, kept through an outage: the newest value of each key, until stored."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fleet_core.errors import CannotConnectError, FleetError, InvalidInputError, RetryLaterError
from fleet_core.messaging.jetstream import checked
from fleet_core.messaging.kv import OPERATION_HEADER
from fleet_core.messaging.requests import STATUS_HEADER
from fleet_core.messaging.settings import LinkState, LinkStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.messaging.connection import Connection
    from fleet_core.messaging.protocol import Message

_log = logging.getLogger(__name__)
_WINDOW: Final = 1_024
"""Acknowledgements awaited at a time."""
_ACK_TIMEOUT_S: Final = 5.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
_TICK_S: Final = 0.25
_YIELD_EVERY: Final = 100

Slot = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Write:
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


class LatestWriter:
    """Writes offered values until each is acknowledged.

    Only the newest value of a (bucket, key) is kept, so an outage costs one value a key. At most
    one write of a key is under way: an older value can never overtake a newer one.
    """

    def __init__(self, connection: Connection) -> None:
        self.acked = 0
        """Writes that the server has stored."""
        self.retries = 0
        """Writes that were sent again."""
        self.refused = 0
        """Writes that the server will never take (too large, say); logged and dropped."""
        self._connection = connection
        self._inbox = connection.new_inbox()
        self._waiting: OrderedDict[Slot, _Write] = OrderedDict()
        self._in_flight: dict[Slot, tuple[str, _Write]] = {}
        self._tokens: OrderedDict[str, tuple[Slot, float]] = OrderedDict()
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._delay_s = 0.0

    @property
    def pending(self) -> int:
        """Keys whose newest value is not stored yet."""
        return len(self._waiting.keys() | self._in_flight.keys())

    def offer(
        self,
        bucket: str,
        key: str,
        value: bytes | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Have a value written (None deletes the key); it replaces an older one not yet sent."""
        self._waiting[bucket, key] = _Write(value, headers or {})
        self._idle.clear()
        self._wake.set()

    async def drained(self, timeout_s: float) -> None:
        """Return when everything offered is stored.

        Raises:
            RetryLaterError: it is not, in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError as error:
            raise RetryLaterError(f"{self.pending} writes are not stored yet") from error

    async def run(self) -> None:
        """Write until cancelled."""
        unlisten = self._connection.on_change(self._link_changed)
        subscription = await self._connection.subscribe(f"{self._inbox}.*", self._take_ack)
        try:
            while True:
                self._wake.clear()
                await self._send_waiting()
                try:
                    async with asyncio.timeout(_TICK_S if self._in_flight else None):
                        await self._wake.wait()
                except TimeoutError:
                    self._give_up_late()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s * random.uniform(0.5, 1.5))
        finally:
            unlisten()
            await subscription.unsubscribe()

    async def _send_waiting(self) -> None:
        blocked = 0
        while len(self._waiting) > blocked and len(self._in_flight) < _WINDOW:
            slot, write = self._waiting.popitem(last=False)
            if slot in self._in_flight:
                self._waiting[slot] = write
                blocked += 1
                continue
            token = str(next(self._numbers))
            self._in_flight[slot] = (token, write)
            self._tokens[token] = (slot, time.monotonic() + _ACK_TIMEOUT_S)
            try:
                await self._publish(slot, write, token)
            except CannotConnectError:
                self._retry(token)
                self._back_off()
                return
            except InvalidInputError as error:
                self._drop(token, error)
            if len(self._in_flight) % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _publish(self, slot: Slot, write: _Write, token: str) -> None:
        bucket, key = slot
        headers = dict(write.headers)
        if write.value is None:
            headers[OPERATION_HEADER] = "DEL"
        await self._connection.publish(
            f"$KV.{bucket}.{key}",
            write.value or b"",
            reply=f"{self._inbox}.{token}",
            headers=headers or None,
        )

    def _take_ack(self, message: Message) -> None:
        token = message.subject.rpartition(".")[2]
        if token not in self._tokens:
            return
        if message.headers is not None and STATUS_HEADER in message.headers:
            # No responders: the stream is not there (yet).
            self._retry(token)
            self._back_off()
            return
        try:
            checked(message.data)
        except RetryLaterError:
            self._retry(token)
            self._back_off()
        except FleetError as error:
            self._drop(token, error)
        else:
            self._settle(token)
            self.acked += 1
            self._delay_s = 0.0
            self._settled()

    def _link_changed(self, status: LinkStatus) -> None:
        """Send again what was under way on a link that is gone: its acks will never come."""
        if status.state is not LinkState.CONNECTED:
            for token in list(self._tokens):
                self._retry(token)

    def _give_up_late(self) -> None:
        now = time.monotonic()
        while self._tokens:
            token, (_, deadline) = next(iter(self._tokens.items()))
            if deadline > now:
                return
            self._retry(token)

    def _retry(self, token: str) -> None:
        slot, write = self._settle(token)
        self.retries += 1
        # A newer value offered meanwhile has the place already.
        self._waiting.setdefault(slot, write)
        self._settled()

    def _drop(self, token: str, error: FleetError) -> None:
        slot, _ = self._settle(token)
        self.refused += 1
        self._settled()
        _log.error("the server refuses %s in %s: %s", slot[1], slot[0], error)

    def _settle(self, token: str) -> tuple[Slot, _Write]:
        slot, _ = self._tokens.pop(token)
        _, write = self._in_flight.pop(slot)
        return slot, write

    def _settled(self) -> None:
        if self._waiting:
            self._wake.set()
        elif not self._in_flight:
            self._idle.set()

    def _back_off(self) -> None:
        self._delay_s = min(max(self._delay_s * 2, _FIRST_DELAY_S), _LONGEST_DELAY_S)
