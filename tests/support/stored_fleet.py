"""A fleet that stands still, and is stored on a real server too: for screens that read more of it.

The read model is fed by hand, at a fixed moment; the same values are in the buckets of a real
nats-server, so that what is read on demand comes the way it comes in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.messaging import KvBucket, RequestClient, connect, ensure_buckets
from fleet_core.operations.contexts import Context
from fleet_tui.app import FleetApp
from fleet_tui.options import Options
from tests.support.steady_fleet import SteadyFleet
from tests.view.fleets import NOW_S, FedView

if TYPE_CHECKING:
    from fleet_core.operations.live import LiveFleet


class StoredView(FedView):
    """A read model fed by hand, that remembers what is to be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[tuple[str, str], bytes] = {}

    def put(self, bucket: str, key: str, value: bytes, at_s: float = NOW_S) -> None:
        super().put(bucket, key, value, at_s)
        self.stored[bucket, key] = value


class StoredOpener:
    """Opens a `SteadyFleet` whose buckets are on a server."""

    waiting = "connecting …"

    def __init__(self, fed: StoredView, context: Context) -> None:
        self.fed = fed
        self.fleet = SteadyFleet(fed.view, context)

    async def open(self) -> LiveFleet:
        self.fleet.connection = await connect(self.fleet.context.settings("test"))
        self.fleet.requests = RequestClient(self.fleet.connection)
        await ensure_buckets(self.fleet.connection)
        await self.store()
        return self.fleet

    async def store(self) -> None:
        """Store what was put since."""
        for (bucket, key), value in self.fed.stored.items():
            await KvBucket(self.fleet.connection, bucket).put(key, value)
        self.fed.stored.clear()

    async def close(self) -> None:
        await self.fleet.connection.close()


def stored_app(
    fed: StoredView, url: str, *, command: str = "", options: Options | None = None
) -> FleetApp:
    """Return the app over a fleet that is fed by hand and stored at ``url``, at `NOW_S`."""
    fed.view.tick(NOW_S)
    opener = StoredOpener(fed, Context("prod-eu", (url,)))
    return FleetApp(opener, options or Options(command=command), clock=lambda: NOW_S)
