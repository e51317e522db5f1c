"""A connection to this test's own server, with the buckets on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import (
    Connection,
    ConnectionSettings,
    connect,
    ensure_audit_stream,
    ensure_buckets,
)
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.nats_server import NatsServer


def settings_of(server: NatsServer) -> ConnectionSettings:
    return ConnectionSettings((server.url,), ping_interval_s=0.5)


async def restarted(server: NatsServer, connection: Connection, *, wipe: bool = False) -> None:
    """Restart the server, and return when the connection has found it again."""
    reconnects = connection.status.reconnects
    server.restart(wipe=wipe)
    await eventually(
        lambda: connection.is_connected and connection.status.reconnects > reconnects, timeout_s=8
    )


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with await connect(settings_of(nats_server)) as opened:
        await ensure_buckets(opened)
        await ensure_audit_stream(opened)
        yield opened
