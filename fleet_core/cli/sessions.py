"""A command's session with a fleet: the context chosen, the link opened, the picture complete."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from fleet_core.operations.config_file import choose_context
from fleet_core.operations.live import LiveFleet

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Iterable

    from fleet_core.operations.contexts import Context

SYNC_TIMEOUT_S: Final = 10.0
"""Half a million keys were read in 1.6 s on a loopback link; a bad link is a few times slower."""


def context_of(options: argparse.Namespace) -> Context:
    """Return the context that the command line, the environment or the config file names."""
    return choose_context(url=options.nats, name=options.context, read_only=options.read_only)


@asynccontextmanager
async def opened(
    options: argparse.Namespace, buckets: Iterable[str] = ()
) -> AsyncIterator[LiveFleet]:
    """Open the fleet; with buckets, the read model is complete when this returns.

    Raises:
        CannotConnectError: there is no link.
        RetryLaterError: the buckets are not there, or did not arrive in time.
    """
    async with await LiveFleet.open(context_of(options), buckets=buckets) as fleet:
        if fleet.buckets:
            await fleet.synced(SYNC_TIMEOUT_S)
        yield fleet
