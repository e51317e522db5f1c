"""The supervised connection: one link at a time, made anew whenever it is lost, until closed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from nats import errors

from fleet_core.errors import CannotConnectError
from fleet_core.messaging import client as nats_client
from fleet_core.messaging.requests import RequestClient
from fleet_core.messaging.settings import ConnectionSettings, LinkState, LinkStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from nats.aio.client import Client

    from fleet_core.messaging.client import Message

_log = logging.getLogger(__name__)
_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 5.0
"""Between attempts, doubling, with jitter: 100,000 devices must not come back all at once."""
_PROBE_INTERVAL_S = 2.0


@dataclass(eq=False, slots=True)
class Subscription:
    """Interest in a subject; it outlives the link it was made on."""

    subject: str
    queue: str
    callback: Callable[[Message], None]
    connection: Connection
    id_on_client: int | None = None

    async def unsubscribe(self) -> None:
        """End it; ending it twice is no error."""
        await self.connection.forget(self)


async def connect(settings: ConnectionSettings, *, wait: bool = True) -> Connection:
    """Open a connection; close it with ``async with`` or `Connection.close`.

    With ``wait=False`` it returns at once and goes on trying for ever, as an agent does.

    Raises:
        CannotConnectError: no link within ``connect_timeout_s`` (only with ``wait``).
    """
    connection = Connection(settings)
    connection.start()
    if wait:
        try:
            await connection.wait_connected(settings.connect_timeout_s)
        except BaseException:
            await connection.close()
            raise
    return connection


class Connection:
    """A link to NATS that is made anew when it is lost.

    Nothing is buffered while there is no link: a publish raises at once, and whoever must not lose
    a value keeps it and offers it again (`LatestWriter`).
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self._client: Client | None = None
        self._status = LinkStatus(LinkState.CONNECTING)
        self._subscriptions: dict[Subscription, None] = {}
        self._listeners: dict[int, Callable[[LinkStatus], None]] = {}
        self._listener_ids = itertools.count()
        self._link_lost = asyncio.Event()
        self._connected = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._inboxes = itertools.count()
        self._inbox_base = f"{settings.inbox_prefix}.{random.getrandbits(64):016x}"
        self._probe_sent_at = 0.0
        self.requests = RequestClient(self)
        """Sends requests over this connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def status(self) -> LinkStatus:
        """What is known of the link now."""
        return self._status

    @property
    def is_connected(self) -> bool:
        """Whether there is a link now."""
        return self._status.state is LinkState.CONNECTED

    def on_change(self, listener: Callable[[LinkStatus], None]) -> Callable[[], None]:
        """Call ``listener`` at each change of state; returns a function that ends this."""
        number = next(self._listener_ids)
        self._listeners[number] = listener
        return lambda: self._listeners.pop(number, None) and None

    def start(self) -> None:
        """Start the supervisor; `connect` does it."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="nats-supervisor")

    async def wait_connected(self, timeout_s: float) -> None:
        """Return when there is a link.

        Raises:
            CannotConnectError: there was none in time; it tells the last attempt's error.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError as error:
            servers = ", ".join(self.settings.servers)
            raise CannotConnectError(
                self._status.last_error
                or f"cannot connect to NATS at {servers}: no answer in time",
                remedy="check the URL, that the server runs, and the credentials",
            ) from error

    async def close(self) -> None:
        """End the link and the supervisor; closing twice is no error."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._subscriptions.clear()
        self._change(replace(self._status, state=LinkState.CLOSED))

    def new_inbox(self) -> str:
        """Return a subject for replies that nobody else uses."""
        return f"{self._inbox_base}.{next(self._inboxes)}"

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message; nobody acknowledges it.

        Raises:
            CannotConnectError: there is no link now.
            InvalidInputError: the payload is larger than the server takes.
        """
        client = self._client
        if client is None:
            raise CannotConnectError("there is no link to NATS", remedy="try again when it is back")
        try:
            await nats_client.publish(client, subject, payload, reply, headers)
        except (errors.Error, OSError) as error:
            raise nats_client.rerooted(error, subject) from error

    async def subscribe(
        self, subject: str, callback: Callable[[Message], None], *, queue: str = ""
    ) -> Subscription:
        """Have ``callback`` called with each message, from the read loop; it must be quick.

        It survives lost links. What is sent while there is no link is not delivered.
        """
        subscription = Subscription(subject, queue, callback, self)
        self._subscriptions[subscription] = None
        if self._client is not None:
            await self._establish(self._client, subscription)
        return subscription

    async def forget(self, subscription: Subscription) -> None:
        """End a subscription; `Subscription.unsubscribe` calls this."""
        self._subscriptions.pop(subscription, None)
        number, subscription.id_on_client = subscription.id_on_client, None
        if self._client is not None and number is not None:
            await nats_client.unsubscribe(self._client, number)

    async def _establish(self, client: Client, subscription: Subscription) -> None:
        try:
            subscription.id_on_client = await nats_client.subscribe(
                client, subscription.subject, subscription.queue, subscription.callback
            )
        except (errors.Error, OSError) as error:
            if isinstance(error, errors.BadSubjectError):
                self._subscriptions.pop(subscription, None)
                raise nats_client.rerooted(error, subscription.subject) from error
            # The link broke in between: the next one establishes every subscription.
            self._link_lost.set()

    async def _supervise(self) -> None:
        delay_s = _FIRST_DELAY_S
        for server in itertools.cycle(self.settings.servers):
            self._link_lost.clear()
            try:
                client = await nats_client.open_client(self.settings, server, self._link_lost.set)
            except CannotConnectError as error:
                self._change(replace(self._status, last_error=error.message))
                await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))
                delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
                continue
            delay_s = _FIRST_DELAY_S
            try:
                await self._hold(client, server)
            finally:
                self._client = None
                self._connected.clear()
                await nats_client.abandon(client)
            self._change(
                replace(
                    self._status,
                    state=LinkState.RECONNECTING,
                    rtt_ms=None,
                    reconnects=self._status.reconnects + 1,
                )
            )
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))

    async def _hold(self, client: Client, server: str) -> None:
        """Keep one link until it is lost: subscriptions, then a probe every few seconds."""
        self._client = client
        for subscription in list(self._subscriptions):
            await self._establish(client, subscription)
        probe = f"{self._inbox_base}.probe"
        await nats_client.subscribe(client, probe, "", self._probe_returned)
        self._probe_sent_at = time.perf_counter()
        await self._publish_probe(client, probe)
        self._connected.set()
        self._change(
            replace(
                self._status,
                state=LinkState.CONNECTED,
                server=server,
                connected_at_s=time.time(),
                last_error=None,
            )
        )
        while not self._link_lost.is_set() and nats_client.is_alive(client):
            try:
                async with asyncio.timeout(_PROBE_INTERVAL_S):
                    await self._link_lost.wait()
            except TimeoutError:
                await self._publish_probe(client, probe)

    async def _publish_probe(self, client: Client, subject: str) -> None:
        self._probe_sent_at = time.perf_counter()
        try:
            await nats_client.publish(client, subject, b"", "", None)
        except (errors.Error, OSError) as error:
            _log.debug("the link broke at a probe: %s", error)
            self._link_lost.set()

    def _probe_returned(self, _message: Message) -> None:
        rtt_ms = (time.perf_counter() - self._probe_sent_at) * 1_000
        self._status = replace(self._status, rtt_ms=rtt_ms)

    def _change(self, status: LinkStatus) -> None:
        self._status = status
        for listener in list(self._listeners.values()):
            try:
                listener(status)
            except Exception:  # noqa: BLE001 - a listener's bug must not end the supervisor
                _log.exception("a listener failed on the link's change to %s", status.state)
