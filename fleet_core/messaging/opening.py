"""Opening a link: the one place where a client of the library is made."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from nats import errors
from nats.aio.client import Client

from fleet_core.errors import CannotConnectError
from fleet_core.messaging import fast_link
from fleet_core.messaging.settings import without_credentials
from fleet_core.messaging.stock_link import StockLink

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.messaging.link import Link
    from fleet_core.messaging.settings import ConnectionSettings

_log = logging.getLogger(__name__)
_PING_LIMIT: Final = 2


async def open_link(settings: ConnectionSettings, server: str, on_lost: Callable[[], None]) -> Link:
    """Connect to one server, once; ``on_lost`` is called (perhaps repeatedly) when the link ends.

    The library's own reconnecting is off: it gives up for good when a user is revoked or a token
    expires, without a word, whatever ``max_reconnect_attempts`` says.

    Raises:
        CannotConnectError: the server cannot be reached, or does not let us in.
    """
    client = Client()
    kind = fast_link.FastLink if fast_link.is_known() else StockLink
    link = kind(client, on_lost)
    complaints: set[str] = set()
    refusals: deque[Exception] = deque(maxlen=1)

    async def closed() -> None:
        on_lost()

    async def complained(error: Exception) -> None:
        refusals.append(error)
        # Once for each text: a refused subject may be published on many times a second.
        level = logging.DEBUG if str(error) in complaints else logging.WARNING
        complaints.add(str(error))
        _log.log(level, "NATS at %s: %s", without_credentials(server), error)
        if settings.on_complaint is not None:
            settings.on_complaint(str(error))

    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            await client.connect(
                [server],
                name=settings.name,
                user=settings.user,
                password=settings.password,
                token=settings.token,
                inbox_prefix=settings.inbox_prefix,
                allow_reconnect=False,
                # Else it tries a server that refuses again, every two seconds, until the timeout.
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=max(1, int(settings.connect_timeout_s)),
                ping_interval=cast("int", settings.ping_interval_s),
                max_outstanding_pings=_PING_LIMIT,
                closed_cb=closed,
                error_cb=complained,
            )
    except errors.NoServersError as error:
        await link.close()
        raise _cannot_connect(server, refusals[-1] if refusals else error) from error
    except Exception as error:
        await link.close()
        raise _cannot_connect(server, error) from error
    except BaseException:
        await link.close()
        raise
    if not client.is_connected:
        # The library may return while the server still thinks about the credentials.
        await link.close()
        raise _cannot_connect(server, TimeoutError())
    link.opened()
    return link


def _cannot_connect(server: str, error: Exception) -> CannotConnectError:
    reason = str(error) or type(error).__name__
    if isinstance(error, TimeoutError | errors.TimeoutError):
        reason = "no answer in time"
    elif isinstance(error, OSError) and error.errno and error.strerror:
        # What the operating system says in words; asyncio puts the call itself into `strerror`.
        reason = os.strerror(error.errno) if error.errno > 0 else error.strerror
    return CannotConnectError(
        f"cannot connect to NATS at {without_credentials(server)}: {reason}",
        remedy="check the URL, that the server runs, and the credentials",
    )
