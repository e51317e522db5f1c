"""Saying everything again after each new link, and now and then: the store may have been lost."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from fleet_core.messaging import LinkState

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.messaging import Connection, LinkStatus

RECONNECT_SPREAD_S: Final = 3.0
"""Devices that come back together spread what they say again over this long."""
INTERVAL_S: Final = 900.0
"""A device may not read what it wrote, so it cannot know that a bucket was emptied under it."""


class Republisher:
    """Calls ``publish`` some time after each new link, and in every interval; needs no task."""

    def __init__(self, connection: Connection, publish: Callable[[], None]) -> None:
        self._publish = publish
        self._unlisten = connection.on_change(self._link_changed)
        self._timer: asyncio.TimerHandle | None = None
        self._schedule(INTERVAL_S * random.uniform(0.5, 1.0))

    def close(self) -> None:
        """Stop."""
        self._unlisten()
        if self._timer is not None:
            self._timer.cancel()

    def _link_changed(self, status: LinkStatus) -> None:
        if status.state is LinkState.CONNECTED and status.reconnects:
            self._schedule(random.uniform(0.0, RECONNECT_SPREAD_S))

    def _schedule(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)

    def _due(self) -> None:
        self._publish()
        self._schedule(INTERVAL_S * random.uniform(0.8, 1.2))
