"""The NATS servers let this device in: the handshake, as the agent itself does it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleet_agent.assembly import link_settings
from fleet_agent.device.checks.finding import CHECK_DEADLINE_S, Finding, fail, ok
from fleet_core.errors import CannotConnectError
from fleet_core.messaging import ConnectionSettings, LinkState, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.config_model import AgentConfig
    from fleet_core.messaging import Connection, LinkStatus

_ABOUT: Final = "nats"
_REMEDIES: Final = {
    "authorization": "check [credentials], and that the server knows this device",
    "authentication": "check [credentials], and that the server knows this device",
    "certificate": "check the certificate of the server, and this device's clock",
    "ssl": "check that the server speaks TLS where [nats] urls say tls://, and only there",
    "tls": "check that the server speaks TLS where [nats] urls say tls://, and only there",
    "maximum connections": "raise max_connections of the server",
}
_REMEDY: Final = "check [nats] urls, and that it is a NATS server that answers there"


def settings_of(config: AgentConfig, on_complaint: Callable[[str], None]) -> ConnectionSettings:
    """Return how the agent would connect, with all its servers."""
    settings = link_settings(config)
    return replace(
        settings,
        name=f"fleet-agent check {config.agent.device_id}",
        connect_timeout_s=min(settings.connect_timeout_s, CHECK_DEADLINE_S),
        on_complaint=on_complaint,
    )


async def shake_hands(
    settings: ConnectionSettings,
) -> tuple[list[Connection], list[Finding]]:
    """Connect to each server on its own; the caller closes the connections that there are."""
    each = [replace(settings, servers=(server,)) for server in settings.servers]
    outcomes = await asyncio.gather(*map(_try_one, each))
    connections = [connection for connection, _ in outcomes if connection is not None]
    return connections, [finding for _, finding in outcomes]


async def _try_one(settings: ConnectionSettings) -> tuple[Connection | None, Finding]:
    began = time.perf_counter()
    try:
        connection = await _connect_once(settings)
    except CannotConnectError as error:
        text = error.message.lower()
        remedy = next((told for sign, told in _REMEDIES.items() if sign in text), _REMEDY)
        return None, fail(_ABOUT, error.message, remedy)
    took_ms = (time.perf_counter() - began) * 1_000
    who = f"as {settings.user}" if settings.user else "without credentials"
    return connection, ok(_ABOUT, f"{settings.where()} let us in {who}, in {took_ms:.1f} ms")


async def _connect_once(settings: ConnectionSettings) -> Connection:
    """Return the connection, or raise what became of the first attempt: it would go on trying."""
    outcome: asyncio.Future[LinkStatus] = asyncio.get_running_loop().create_future()

    def take(status: LinkStatus) -> None:
        if not outcome.done():
            outcome.set_result(status)

    connection = await connect(settings, wait=False)
    connection.on_change(take)
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            status = await outcome
    except TimeoutError:
        status = connection.status
    except BaseException:
        await connection.close()
        raise
    if status.state is not LinkState.CONNECTED:
        await connection.close()
        raise CannotConnectError(
            status.last_error or f"cannot connect to NATS at {settings.where()}: no answer in time"
        )
    return connection
