"""Keeping a link: one at a time, made anew whenever it is lost, until closed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleet_core.errors import CannotConnectError
from fleet_core.messaging.delays import Delays
from fleet_core.messaging.opening import open_link
from fleet_core.messaging.settings import LinkState, LinkStatus, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.messaging.link import Link
    from fleet_core.messaging.settings import ConnectionSettings

_log = logging.getLogger(__name__)
_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 5.0
"""Between attempts, doubling, with jitter: 100,000 devices must not come back all at once."""
_STABLE_AFTER_S: Final = 5.0
"""A link that is lost sooner does not count as a success: the next attempt waits longer."""


class Supervisor:
    """Owns the link, and tells of its changes."""

    def __init__(self, settings: ConnectionSettings, on_link: Callable[[Link], None]) -> None:
        self.link: Link | None = None
        self.status = LinkStatus(LinkState.CONNECTING)
        self._settings = settings
        self._on_link = on_link
        self._listeners: dict[int, Callable[[LinkStatus], None]] = {}
        self._listener_ids = itertools.count()
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Start; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="nats-supervisor")

    async def close(self) -> None:
        """End the link; a second call changes nothing."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._change(replace(self.status, state=LinkState.CLOSED))

    def on_change(self, listener: Callable[[LinkStatus], None]) -> Callable[[], None]:
        """Call ``listener`` at each change; returns a function that ends this."""
        number = next(self._listener_ids)
        self._listeners[number] = listener

        def forget() -> None:
            self._listeners.pop(number, None)

        return forget

    async def wait_connected(self, timeout_s: float) -> None:
        """Return when there is a link.

        Raises:
            CannotConnectError: there was none in time; it tells the last attempt's error.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError as error:
            raise CannotConnectError(
                self.status.last_error
                or f"cannot connect to NATS at {self._settings.where()}: no answer in time",
                remedy="check the URL, that the server runs, and the credentials",
            ) from error

    async def _supervise(self) -> None:
        delays = Delays(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        for server in itertools.cycle(self._settings.servers):
            lost = asyncio.Event()
            try:
                link = await open_link(self._settings, server, lost.set)
            except CannotConnectError as error:
                self._change(replace(self.status, last_error=error.message))
            else:
                if self._closing:
                    # The library swallowed the cancellation while it was connecting.
                    await link.close()
                    return
                opened_at = time.monotonic()
                try:
                    await self._hold(link, without_credentials(server), lost)
                finally:
                    self.link = None
                    self._connected.clear()
                    await link.close()
                if time.monotonic() - opened_at > _STABLE_AFTER_S:
                    delays.reset()
            if self._closing:
                return
            await asyncio.sleep(delays.next_s())

    async def _hold(self, link: Link, server: str, lost: asyncio.Event) -> None:
        """Keep one link until it is lost."""
        self._on_link(link)
        self.link = link
        self._connected.set()
        self._change(
            replace(
                self.status,
                state=LinkState.CONNECTED,
                server=server,
                connected_at_s=time.time(),
                last_error=None,
            )
        )
        while link.is_alive and not lost.is_set():
            link.ping(self._note_round_trip)
            try:
                async with asyncio.timeout(self._settings.ping_interval_s):
                    await lost.wait()
            except TimeoutError:
                continue
        self.link = None
        self._connected.clear()
        reason = f"the link to NATS at {server} was lost: {link.last_error or 'it was closed'}"
        _log.info("%s", reason)
        self._change(
            replace(
                self.status,
                state=LinkState.RECONNECTING,
                rtt_ms=None,
                reconnects=self.status.reconnects + 1,
                last_error=reason,
            )
        )

    def _note_round_trip(self, rtt_ms: float) -> None:
        if self.link is not None:
            self.status = replace(self.status, rtt_ms=rtt_ms)

    def _change(self, status: LinkStatus) -> None:
        self.status = status
        for listener in list(self._listeners.values()):
            try:
                listener(status)
            except Exception:  # noqa: BLE001 - a listener's bug must not end the supervisor
                _log.exception("a listener failed on the link's change to %s", status.state)
