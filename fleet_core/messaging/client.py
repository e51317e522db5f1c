"""What is asked of nats-py beyond its public face, in one place.

Two things are done differently here than the library does them:

- *Delivery*. A subscription of the library owns a queue and a task; a message costs 11 µs, and ten
  thousand devices in one process would own thirty thousand tasks. Here the read loop calls a plain
  function: the subscription's queue is replaced by an object whose ``put_nowait`` is that function.
- *Reconnecting*. The library's reconnect gives up for good when a user is revoked or a token
  expires, and its read loop can end while ``is_connected`` stays true. It is switched off: a client
  lives for one link, and `Connection` makes a new one.

Both rest on names that are private to nats-py 2.16, which is why ``pyproject.toml`` pins it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from nats import errors
from nats.aio.client import Client

from fleet_core.errors import CannotConnectError, InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from nats.aio.msg import Msg

    from fleet_core.messaging.settings import ConnectionSettings

_log = logging.getLogger(__name__)
_MAX_PENDING_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Message:
    """One message as it was delivered."""

    subject: str
    data: bytes
    reply: str
    headers: Mapping[str, str] | None


class _Delivery:
    """Stands in for a subscription's queue: hands each message to a plain function."""

    def __init__(self, callback: Callable[[Message], None]) -> None:
        self._callback = callback

    def put_nowait(self, msg: Msg) -> None:
        message = Message(msg.subject, msg.data, msg.reply, msg.headers)
        try:
            self._callback(message)
        except Exception:  # noqa: BLE001 - the read loop of the whole connection must outlive one bad message
            _log.exception("a callback failed on %s", msg.subject)

    def qsize(self) -> int:
        return 0


async def open_client(
    settings: ConnectionSettings, server: str, on_closed: Callable[[], None]
) -> Client:
    """Connect to one server, once; ``on_closed`` is called when the link has ended.

    Raises:
        CannotConnectError: the server cannot be reached, or does not let us in.
    """
    client = Client()

    async def closed() -> None:
        on_closed()

    async def failed(error: Exception) -> None:
        _log.debug("nats: %s", error)

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
                connect_timeout=max(1, int(settings.connect_timeout_s)),
                ping_interval=cast("int", settings.ping_interval_s),
                max_outstanding_pings=2,
                pending_size=_MAX_PENDING_BYTES,
                closed_cb=closed,
                error_cb=failed,
            )
    except (errors.Error, OSError, TimeoutError, ValueError) as error:
        await abandon(client)
        raise _cannot_connect(server, error) from error
    except BaseException:
        await abandon(client)
        raise
    if not client.is_connected:
        await abandon(client)
        raise _cannot_connect(server, TimeoutError())
    return client


def _cannot_connect(server: str, error: Exception) -> CannotConnectError:
    reason = str(error) or type(error).__name__
    if isinstance(error, TimeoutError | errors.TimeoutError):
        reason = "no answer in time"
    return CannotConnectError(
        f"cannot connect to NATS at {server}: {reason}",
        remedy="check the URL, that the server runs, and the credentials",
    )


async def abandon(client: Client) -> None:
    """End a client whatever state it is in, and wait for its tasks."""
    tasks = [task for task in _tasks(client) if task is not None]
    try:
        await client.close()
    except (errors.Error, OSError, AttributeError) as error:
        _log.debug("closing a broken client: %s", error)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def is_alive(client: Client) -> bool:
    """Tell whether the client is connected and all of its tasks still run."""
    tasks = _tasks(client)
    return client.is_connected and all(task is not None and not task.done() for task in tasks)


def _tasks(client: Client) -> tuple[asyncio.Task[Any] | None, ...]:
    return (client._reading_task, client._flusher_task, client._ping_interval_task)  # noqa: SLF001 - see the module's docstring


async def subscribe(
    client: Client, subject: str, queue: str, callback: Callable[[Message], None]
) -> int:
    """Subscribe with a plain function; returns the subscription's id on this client."""
    subscription = await client.subscribe(
        subject,
        queue=queue,
        # Nothing is queued here, so nothing may be counted as pending: 0 switches the limit off.
        pending_bytes_limit=0,
    )
    subscription._pending_queue = cast("Any", _Delivery(callback))  # noqa: SLF001 - see the module's docstring
    return subscription._id  # noqa: SLF001 - see the module's docstring


async def unsubscribe(client: Client, subscription_id: int) -> None:
    """End a subscription; one that is gone already is no error."""
    client._remove_sub(subscription_id)  # noqa: SLF001 - see the module's docstring
    if client.is_connected:
        await client._send_unsubscribe(subscription_id)  # noqa: SLF001 - see the module's docstring


def publish(
    client: Client, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None
) -> Awaitable[None]:
    """Publish without acknowledgement; the coroutine raises the library's own errors."""
    return client.publish(subject, payload, reply=reply, headers=dict(headers) if headers else None)


def rerooted(error: Exception, subject: str) -> Exception:
    """Return an error of the library as one of the tree."""
    if isinstance(error, errors.MaxPayloadError):
        return InvalidInputError(
            f"the payload for {subject} is larger than the server takes",
            expected="a payload within the server's max_payload",
        )
    if isinstance(error, errors.BadSubjectError):
        return InvalidInputError(f"{subject!r} is no subject", expected="a NATS subject")
    return CannotConnectError(
        f"the link to NATS is gone: {error}", remedy="try again when it is back"
    )
