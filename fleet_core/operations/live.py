"""A live fleet: one supervised connection, the read model fed by it, and requests to devices."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
)
from fleet_core.errors import BrokenError, CannotConnectError, RetryLaterError
from fleet_core.messaging import KvFeed, RequestClient, connect
from fleet_core.operations.buckets import VIEW_BUCKETS
from fleet_core.operations.freshness import FleetStats, Freshness, Rate, TrackedHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from fleet_core.messaging import Connection, LinkStatus
    from fleet_core.operations.contexts import Context
    from fleet_core.operations.deployment_stores import DeploymentStore
    from fleet_core.view import FleetView

_log = logging.getLogger(__name__)

_RATE_INTERVAL_S: Final = 1.0
_READ_IN_ORDER: Final = (
    DEPLOYMENTS.name,
    DEPLOYMENT_STATUS.name,
    DEPLOYMENT_REVISIONS.name,
    DEVICE_INFO.name,
    DEVICE_HEARTBEAT.name,
    DEVICE_MANIFEST.name,
    DEVICE_STATE.name,
)
"""What people look for first is read first; states are most of the data."""
_HEAD_START_S: Final = 2.0
"""A bucket that takes longer, or is not there, no longer holds up the next one."""


class LiveFleet:
    """A fleet as it is now. Open it with `open`; close it with ``async with``, or `close`."""

    def __init__(self, context: Context, connection: Connection, buckets: Iterable[str]) -> None:
        self.context = context
        self.connection = connection
        self.requests = RequestClient(connection)
        self._deployments: DeploymentStore | None = None
        self.buckets = frozenset(buckets)
        """What feeds the read model."""
        self._freshness = Freshness.of(self.buckets)
        self._view: FleetView | None = None
        self._feeds: dict[str, KvFeed] = {}
        self._rate = Rate()
        self._supervisor: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @classmethod
    async def open(
        cls,
        context: Context,
        *,
        program: str = "fleet",
        buckets: Iterable[str] = VIEW_BUCKETS,
        wait: bool = True,
    ) -> Self:
        """Connect, and start to feed the read model from the named buckets (none: no read model).

        With ``wait=False`` it returns at once and goes on trying for ever.

        Raises:
            CannotConnectError: each server of the context was tried, and none let us in.
        """
        connection = await connect(context.settings(program), wait=False)
        try:
            if wait:
                await _connected_or_refused(connection)
            fleet = cls(context, connection, buckets)
        except BaseException:
            await connection.close()
            raise
        fleet.start()
        return fleet

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def view(self) -> FleetView:
        """The read model; raises BrokenError where the fleet was opened without buckets."""
        if self._view is None:
            raise BrokenError("this fleet was opened without a read model")
        return self._view

    @property
    def deployments(self) -> DeploymentStore:
        """Where Deployments are read and written."""
        if self._deployments is None:
            self._deployments = self.context.deployment_store(self.connection)
        return self._deployments

    @property
    def has_view(self) -> bool:
        """Whether a read model is fed."""
        return self._view is not None

    @property
    def link(self) -> LinkStatus:
        """What is known of the link to NATS now."""
        return self.connection.status

    @property
    def stats(self) -> FleetStats:
        """How alive the picture is."""
        feeds = [feed.stats for feed in self._feeds.values()]
        newest = max((feed.last_message_at_s or 0.0 for feed in feeds), default=0.0)
        return FleetStats(
            events_per_s=self._rate.per_s,
            data_age_s=max(0.0, time.time() - newest) if newest else None,
            feed_errors=sum(feed.handler_errors for feed in feeds),
            rejected=self._view.counters.rejected if self._view is not None else 0,
            resyncs=sum(feed.resyncs for feed in feeds),
            stale=bool(self._freshness.stale),
            synced=not self._freshness.unsynced,
        )

    @property
    def stale_because(self) -> str:
        """Why the picture may be old; empty where it is not."""
        return next(iter(self._freshness.stale.values()), "")

    def on_link_change(self, listener: Callable[[LinkStatus], None]) -> Callable[[], None]:
        """Call ``listener`` at each change of the link; returns a function that ends this."""
        return self.connection.on_change(listener)

    def start(self) -> None:
        """Start the feeds; `open` does it."""
        if self._supervisor is not None or not self._freshness.unsynced:
            return
        from fleet_core.view import FleetView  # noqa: PLC0415 - a ping needs no read model

        self._view = FleetView()
        for bucket in sorted(self._freshness.unsynced):
            handler = TrackedHandler(bucket, self._view.handler(bucket), self._freshness)
            self._feeds[bucket] = KvFeed(self.connection, bucket, handler)
        self._supervisor = asyncio.create_task(self._supervise(), name="live-fleet")

    async def synced(self, timeout_s: float) -> None:
        """Return when every bucket has been read completely once.

        Raises:
            RetryLaterError: it took longer; the message names the buckets that are missing.
            BrokenError: the feeds have ended.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._freshness.complete.wait()
        if self._failure is not None:
            raise BrokenError("the feeds of the read model ended") from self._failure
        if self._freshness.unsynced:
            missing = ", ".join(sorted(self._freshness.unsynced))
            raise RetryLaterError(
                f"the fleet's data did not arrive within {timeout_s:g} s (missing: {missing})",
                remedy="see that the operator runs: it creates the buckets",
            )

    async def close(self) -> None:
        """End the feeds and the connection; closing twice is no error."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._deployments is not None:
            await self._deployments.close()
        await self.connection.close()

    async def _supervise(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._measure_rate(), name="feed-rate")
                for bucket in sorted(self._feeds, key=_place_in_line):
                    feed = self._feeds[bucket]
                    group.create_task(feed.run(), name=f"feed-{bucket}")
                    await self._freshness.wait_synced(bucket, _HEAD_START_S)
        except* Exception as failures:  # noqa: BLE001 - told by `synced` and `stale_because`
            self._failure = failures
            self._freshness.note_stale("", "the feeds have ended")
            self._freshness.complete.set()
            _log.exception("the feeds of the read model ended")

    async def _measure_rate(self) -> None:
        while True:
            received = sum(feed.stats.received for feed in self._feeds.values())
            self._rate.sample(received, time.monotonic())
            await asyncio.sleep(_RATE_INTERVAL_S)


def _place_in_line(bucket: str) -> int:
    return _READ_IN_ORDER.index(bucket) if bucket in _READ_IN_ORDER else len(_READ_IN_ORDER)


async def _connected_or_refused(connection: Connection) -> None:
    """Return when there is a link; raise as soon as each server has been tried once in vain."""
    refusals: list[str] = []
    decided = asyncio.Event()

    def note(status: LinkStatus) -> None:
        if status.last_error is not None:
            refusals.append(status.last_error)
        if connection.is_connected or len(refusals) >= len(connection.settings.servers):
            decided.set()

    forget = connection.on_change(note)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(connection.settings.connect_timeout_s):
                await decided.wait()
    finally:
        forget()
    if not connection.is_connected:
        servers = ", ".join(connection.settings.servers)
        raise CannotConnectError(
            refusals[-1] if refusals else f"cannot connect to NATS at {servers}: no answer in time",
            remedy="check the URL, that the server runs, and the credentials",
        )
