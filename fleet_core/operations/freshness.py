"""How alive the picture is: rates, ages, and which feeds may be showing something old."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_core.messaging import KnownKeys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.messaging import FeedHandler


@dataclass(frozen=True, slots=True)
class FleetStats:
    """How alive the picture is; for the header."""

    events_per_s: float
    """Changes taken in per second, over the last interval of measurement."""
    data_age_s: float | None
    """Seconds since the newest change of any bucket arrived; None before the first."""
    feed_errors: int
    """Changes that the read model failed on."""
    rejected: int
    """Payloads that were refused at the door, since they broke the contract."""
    resyncs: int
    stale: bool
    """The picture may be old: the link is gone, or a feed lost its consumer."""
    synced: bool
    """Each bucket has been read completely at least once."""


@dataclass(slots=True)
class Rate:
    """A rate, from a count that is read now and then."""

    per_s: float = 0.0
    _last: tuple[int, float] | None = None

    def sample(self, count: int, at_s: float) -> None:
        """Note the count at a moment of a monotonic clock."""
        if self._last is not None and at_s > self._last[1]:
            self.per_s = (count - self._last[0]) / (at_s - self._last[1])
        self._last = (count, at_s)


@dataclass(slots=True)
class Freshness:
    """Which buckets have been read, and which may be old."""

    unsynced: set[str] = field(default_factory=set)
    stale: dict[str, str] = field(default_factory=dict)
    """Why, by bucket."""
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once each bucket has been read."""
    _first: dict[str, asyncio.Event] = field(default_factory=dict)
    """Set for each bucket once it has been read."""

    @classmethod
    def of(cls, buckets: Iterable[str]) -> Freshness:
        """Return the state before anything has been read."""
        return cls(unsynced=set(buckets))

    def note_synced(self, bucket: str) -> None:
        """A bucket was read completely."""
        self.stale.pop(bucket, None)
        self.unsynced.discard(bucket)
        self._first.setdefault(bucket, asyncio.Event()).set()
        if not self.unsynced:
            self.complete.set()

    def note_stale(self, bucket: str, reason: str) -> None:
        """A bucket may be old."""
        self.stale[bucket] = reason

    async def wait_synced(self, bucket: str, timeout_s: float) -> None:
        """Return when a bucket has been read once, or after ``timeout_s``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._first.setdefault(bucket, asyncio.Event()).wait()


class TrackedHandler:
    """Passes a feed on to the read model, and notes when it is complete and when it may be old."""

    def __init__(self, bucket: str, handler: FeedHandler, freshness: Freshness) -> None:
        self._bucket = bucket
        self._handler = handler
        self._freshness = freshness
        # Called for every change of the fleet: bound here, a change costs no further call.
        self.on_put = handler.on_put
        self.on_delete = handler.on_delete
        if isinstance(handler, KnownKeys):
            self.known_keys = handler.known_keys
            self.knows = handler.knows

    def on_synced(self) -> None:
        """The bucket was read completely."""
        self._handler.on_synced()
        self._freshness.note_synced(self._bucket)

    def on_stale(self, reason: str) -> None:
        """The bucket may be old."""
        self._handler.on_stale(reason)
        self._freshness.note_stale(self._bucket, reason)
