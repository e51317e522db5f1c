"""A bucket's changes from a full snapshot on, whatever happens to link, server and consumer.

The library's own watch stalls for 17 s when its consumer is lost, is silent for ever after the
bucket was recreated, never reports keys that vanished in a gap, and drops messages on overflow
without noticing. This one pulls from a named, filtered consumer with heartbeats, takes any doubt as
a reason to start again from a snapshot, and sweeps what the snapshot no longer holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import time
from typing import TYPE_CHECKING, Any, Final

from fleet_core.errors import FleetError
from fleet_core.messaging.feed_protocol import (
    FeedHandler,
    FeedStats,
    KnownKeys,
    parse_ack_subject,
)
from fleet_core.messaging.jetstream import API, api_request
from fleet_core.messaging.kv import OPERATION_HEADER
from fleet_core.messaging.requests import STATUS_HEADER
from fleet_core.messaging.settings import LinkState, LinkStatus

if TYPE_CHECKING:
    from fleet_core.messaging.connection import Connection
    from fleet_core.messaging.protocol import Message

_log = logging.getLogger(__name__)
_BATCH: Final = 4_000
"""Messages asked for at a time, by each of a connection's feeds.

An unbounded pull of 500,000 makes the server drop the client, and so do six feeds that pull 20,000
each: together they exceed the 64 MB that may wait for a client, or keep it busy for so long that
the heartbeats behind them come too late. Measured with 100,000 devices of three deployments.
"""
_BATCH_MAX_BYTES: Final = 4 * 1024 * 1024
"""And bytes: two pulls of six feeds stay under the 64 MB at which the server drops a client."""
_IDLE_HEARTBEAT_S: Final = 1.0
_SILENCE_S: Final = 2.5 * _IDLE_HEARTBEAT_S
_PULL_EXPIRES_S: Final = 60.0
_INACTIVE_THRESHOLD_S: Final = 30.0
_LONGEST_DELAY_S: Final = 5.0
_NS: Final = 1_000_000_000
_MARKER_HEADER: Final = "Nats-Marker-Reason"


class _KeySet:
    """The keys that have a value, for a handler that does not keep them itself."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def known_keys(self) -> set[str]:
        return self._keys

    def knows(self, key: str) -> bool:
        return key in self._keys

    def note(self, key: str, is_there: bool) -> None:  # noqa: FBT001 - called for every message
        if is_there:
            self._keys.add(key)
        else:
            self._keys.discard(key)


class KvFeed:
    """Follows a bucket, or those of its keys that match ``key_filter``."""

    def __init__(
        self, connection: Connection, bucket: str, handler: FeedHandler, *, key_filter: str = ">"
    ) -> None:
        self.stats = FeedStats()
        self._connection = connection
        self._bucket = bucket
        self._handler = handler
        self._filter = f"$KV.{bucket}.{key_filter}"
        self._key_start = len(f"$KV.{bucket}.")
        self._own_keys: _KeySet | None = None
        if isinstance(handler, KnownKeys):
            self._keys: KnownKeys = handler
        else:
            self._keys = self._own_keys = _KeySet()
        self._unseen: set[str] = set()
        self._last_revision = 0
        self._stream_created = ""
        self._wake = asyncio.Event()
        self._end_reason = ""
        self._consumer_sequence = 0
        self._outstanding = 0
        self._heard_at = 0.0

    async def run(self) -> None:
        """Follow until cancelled."""
        delay_s = 0.05
        while True:
            started_at = time.monotonic()
            try:
                reason = await self._follow()
            except FleetError as error:
                reason = str(error)
            self._stale(reason)
            if time.monotonic() - started_at > _LONGEST_DELAY_S:
                delay_s = 0.05
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    async def _follow(self) -> str:
        """Follow one consumer to its end; return why it ended."""
        await self._connection.wait_connected(_LONGEST_DELAY_S)
        self._wake.clear()
        self._end_reason = ""
        unlisten = self._connection.on_change(self._link_changed)
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox, self._take)
        consumer = f"fleet-{random.getrandbits(64):016x}"
        try:
            await self._begin(consumer)
            while not self._end_reason:
                if self._outstanding <= _BATCH // 2:
                    await self._pull(consumer, inbox)
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_HEARTBEAT_S):
                        await self._wake.wait()
                if time.monotonic() - self._heard_at > _SILENCE_S:
                    self._end("the server went silent")
            return self._end_reason
        finally:
            unlisten()
            await subscription.unsubscribe()
            await self._drop(consumer)

    async def _begin(self, consumer: str) -> None:
        """Create the consumer, and open a snapshot."""
        stream = f"KV_{self._bucket}"
        created = (await api_request(self._connection, f"STREAM.INFO.{stream}"))["created"]
        if created != self._stream_created:
            # Another stream counts its revisions from one again.
            self._stream_created, self._last_revision = created, 0
        config = {
            "name": consumer,
            "deliver_policy": "last_per_subject",
            "ack_policy": "none",
            "replay_policy": "instant",
            "filter_subject": self._filter,
            "inactive_threshold": int(_INACTIVE_THRESHOLD_S * _NS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        subject = f"CONSUMER.CREATE.{stream}.{consumer}.{self._filter}"
        body = {"stream_name": stream, "config": config, "action": "create"}
        info = await api_request(self._connection, subject, body)
        self._unseen = set(self._keys.known_keys())
        self._consumer_sequence = self._outstanding = 0
        self._heard_at = time.monotonic()
        self.stats.synced = False
        if info.get("num_pending", 0) == 0:
            self._synced()

    async def _pull(self, consumer: str, inbox: str) -> None:
        body: dict[str, Any] = {
            "batch": _BATCH,
            "max_bytes": _BATCH_MAX_BYTES,
            "expires": int(_PULL_EXPIRES_S * _NS),
            "idle_heartbeat": int(_IDLE_HEARTBEAT_S * _NS),
        }
        subject = f"{API}.CONSUMER.MSG.NEXT.KV_{self._bucket}.{consumer}"
        self._outstanding += _BATCH
        await self._connection.publish(subject, json.dumps(body).encode(), reply=inbox)

    async def _drop(self, consumer: str) -> None:
        """Delete the consumer, if there is a link; otherwise the server does after 30 s."""
        with contextlib.suppress(FleetError):
            subject = f"{API}.CONSUMER.DELETE.KV_{self._bucket}.{consumer}"
            await self._connection.publish(subject, b"")

    def _take(self, message: Message) -> None:
        self._heard_at = time.monotonic()
        headers = message.headers
        if headers is not None and STATUS_HEADER in headers and not message.reply.startswith("$JS"):
            self._take_status(headers[STATUS_HEADER], headers)
            return
        delivered = parse_ack_subject(message.reply)
        if delivered is None:
            return
        revision, sequence, received_at_s, pending = delivered
        self._outstanding -= 1
        if self._outstanding == _BATCH // 2:
            self._wake.set()
        self._consumer_sequence += 1
        if sequence != self._consumer_sequence:
            self._end("a message was lost on the way")
            return
        key = message.subject[self._key_start :]
        if self._unseen:
            self._unseen.discard(key)
        stats = self.stats
        stats.received += 1
        stats.last_message_at_s = received_at_s
        gone = headers is not None and (OPERATION_HEADER in headers or _MARKER_HEADER in headers)
        newer = revision > self._last_revision
        if newer:
            self._last_revision = revision
        if newer or (not gone and not self._keys.knows(key)):
            self._tell(key, None if gone else message.data, revision, received_at_s)
        if pending == 0 and not stats.synced:
            self._synced()

    def _take_status(self, status: str, headers: Any) -> None:
        if status == "100":
            return
        description = headers.get("Description", "")
        if status == "408" or (status == "409" and "MaxBytes" in description):
            # The pull has ended before its time: what it still owed is asked for anew.
            left = headers.get("Nats-Pending-Messages", "0")
            self._outstanding -= int(left) if left.isdecimal() else 0
            self._wake.set()
            return
        if status == "409" and "Batch Completed" in description:
            self._wake.set()
            return
        self._end(f"the server ended the consumer: {status} {description}".strip())

    def _tell(self, key: str, value: bytes | None, revision: int, received_at_s: float) -> None:
        try:
            if self._own_keys is not None:
                self._own_keys.note(key, value is not None)
            if value is None:
                self._handler.on_delete(key, revision)
            else:
                self._handler.on_put(key, value, revision, received_at_s)
        except Exception:  # noqa: BLE001 - one handler's bug on one value must not end the feed
            self.stats.handler_errors += 1
            _log.exception("the handler of %s failed on %s", self._bucket, key)

    def _tell_vanished(self, key: str) -> None:
        on_vanished = getattr(self._handler, "on_vanished", None)
        if on_vanished is None:
            self._tell(key, None, self._last_revision, 0.0)
            return
        if self._own_keys is not None:
            self._own_keys.note(key, False)
        try:
            on_vanished(key)
        except Exception:  # noqa: BLE001 - as in `_tell`
            self.stats.handler_errors += 1
            _log.exception("the handler of %s failed on %s", self._bucket, key)

    def _synced(self) -> None:
        for key in self._unseen:
            self._tell_vanished(key)
        self._unseen = set()
        self.stats.synced = True
        self.stats.stale_reason = ""
        self.stats.resyncs += 1
        self._handler.on_synced()

    def _stale(self, reason: str) -> None:
        if self.stats.synced or reason != self.stats.stale_reason:
            _log.info("feed of %s: %s", self._bucket, reason)
        self.stats.synced = False
        self.stats.stale_reason = reason
        self._handler.on_stale(reason)

    def _link_changed(self, status: LinkStatus) -> None:
        if status.state is not LinkState.CONNECTED:
            self._end("the link to NATS is lost")

    def _end(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
        self._wake.set()
