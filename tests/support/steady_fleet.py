"""A fleet that stands still, for screens: a read model fed by hand, a link with fixed figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_core.errors import CannotConnectError
from fleet_core.messaging import LinkState, LinkStatus
from fleet_core.operations.contexts import Context
from fleet_core.operations.freshness import FleetStats
from fleet_core.operations.live import LiveFleet
from fleet_tui.app import FleetApp
from fleet_tui.options import Options
from tests.view.fleets import NOW_S, FedView

if TYPE_CHECKING:
    from fleet_core.messaging import Connection
    from fleet_core.view import FleetView

URL = "nats://127.0.0.1:4222"


class SteadyFleet(LiveFleet):
    """A `LiveFleet` without a link: what only looks at the fleet cannot tell the difference."""

    def __init__(self, view: FleetView, context: Context) -> None:
        self.context = context
        self.buckets = frozenset()
        self._steady_view = view
        self.status = LinkStatus(LinkState.CONNECTED, server=URL, rtt_ms=3.0)
        self.figures = FleetStats(
            events_per_s=7.0,
            data_age_s=0.4,
            feed_errors=0,
            rejected=0,
            resyncs=0,
            stale=False,
            synced=True,
        )

    @property
    def view(self) -> FleetView:
        return self._steady_view

    @property
    def link(self) -> LinkStatus:
        return self.status

    @property
    def stats(self) -> FleetStats:
        return self.figures

    @property
    def stale_because(self) -> str:
        return "the link is gone" if self.figures.stale else ""

    def __getattr__(self, name: str) -> Connection:
        """There is no connection, unless a test gives it one."""
        if name == "connection":
            raise CannotConnectError("this fleet stands still")
        raise AttributeError(name)

    def go_stale(self) -> None:
        """Lose the link, as far as anybody can see."""
        self.figures = replace(self.figures, stale=True)

    async def close(self) -> None:
        """There is nothing to end."""


class SteadyOpener:
    """Opens a `SteadyFleet`."""

    waiting = "connecting …"

    def __init__(self, fleet: SteadyFleet) -> None:
        self.fleet = fleet

    async def open(self) -> LiveFleet:
        return self.fleet

    async def close(self) -> None:
        """There is nothing to end."""


def steady_app(
    fed: FedView, *, command: str = "", options: Options | None = None, read_only: bool = False
) -> FleetApp:
    """Return the app over a view fed by hand, at the moment `NOW_S`."""
    fed.view.tick(NOW_S)
    context = Context("prod-eu", (URL,), read_only=read_only)
    opener = SteadyOpener(SteadyFleet(fed.view, context))
    return FleetApp(opener, options or Options(command=command), clock=lambda: NOW_S)
