"""Signs of life: unacknowledged, evenly spaced, each device in its own phase."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fleet_agent.wake import Wake
from fleet_core.contracts.buckets import DEVICE_HEARTBEAT, heartbeat_key
from fleet_core.contracts.devices import DEFAULT_HEARTBEAT_INTERVAL_S, encode_heartbeat
from fleet_core.errors import CannotConnectError
from fleet_core.messaging import LinkState

if TYPE_CHECKING:
    from fleet_core.clock import Clock
    from fleet_core.messaging import Connection, LinkStatus

_log = logging.getLogger(__name__)
RECONNECT_SPREAD_S: Final = 2.0
"""Devices that come back together spread their next heartbeat over this long."""


class Heartbeat:
    """Tells that the device lives: at once when there is a link, then in every interval."""

    def __init__(
        self,
        device_id: str,
        connection: Connection,
        clock: Clock,
        *,
        interval_s: float = DEFAULT_HEARTBEAT_INTERVAL_S,
    ) -> None:
        self.sent = 0
        self._device_id = device_id
        self._subject = DEVICE_HEARTBEAT.subject(heartbeat_key(device_id))
        self._connection = connection
        self._clock = clock
        self._interval_s = interval_s
        self._next_at_s = clock.monotonic()
        self._wake = Wake()

    def set_interval(self, interval_s: float) -> None:
        """Beat in this interval from now on, in a phase of the device's own."""
        if interval_s != self._interval_s:
            self._interval_s = interval_s
            self._at_latest_in(random.uniform(0, interval_s))

    async def run(self) -> None:
        """Beat until cancelled; nothing is sent, nor made up for, while there is no link."""
        unlisten = self._connection.on_change(self._link_changed)
        try:
            while True:
                now_s = self._clock.monotonic()
                if now_s >= self._next_at_s:
                    self._next_at_s = now_s + await self._beat()
                await self._wake.wait(self._next_at_s - self._clock.monotonic())
        finally:
            unlisten()

    async def _beat(self) -> float:
        """Send one; returns the seconds until the next."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        try:
            await self._connection.publish(self._subject, encode_heartbeat(self._device_id, now))
        except CannotConnectError as error:
            _log.debug("%s: no heartbeat without a link: %s", self._device_id, error)
            return self._interval_s
        self.sent += 1
        if self.sent == 1:
            return random.uniform(0, self._interval_s)
        return self._interval_s

    def _link_changed(self, status: LinkStatus) -> None:
        if status.state is LinkState.CONNECTED:
            self._at_latest_in(random.uniform(0, RECONNECT_SPREAD_S) if self.sent else 0.0)

    def _at_latest_in(self, delay_s: float) -> None:
        self._next_at_s = min(self._next_at_s, self._clock.monotonic() + delay_s)
        self._wake()
