"""The supervised connection: publish, subscribe, request, whatever happens to the link."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fleet_core.errors import CannotConnectError
from fleet_core.messaging.protocol import check_filter
from fleet_core.messaging.requests import RequestClient
from fleet_core.messaging.settings import ConnectionSettings, LinkState, LinkStatus
from fleet_core.messaging.supervision import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from fleet_core.messaging.link import Link
    from fleet_core.messaging.protocol import Message


@dataclass(eq=False, slots=True)
class Subscription:
    """Interest in a subject; it outlives the link it was made on."""

    subject: str
    queue: str
    callback: Callable[[Message], None]
    connection: Connection
    number: int | None = None
    """On the present link."""

    async def unsubscribe(self) -> None:
        """End it; ending it twice is no error."""
        self.connection.forget(self)


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

    Nothing is kept while there is no link: a publish raises at once, and whoever must not lose a
    value keeps it and offers it again (`LatestWriter`).
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self._subscriptions: dict[Subscription, None] = {}
        self._supervisor = Supervisor(settings, self._subscribe_all)
        self._inboxes = itertools.count()
        self._inbox_base = f"{settings.inbox_prefix}.{random.getrandbits(64):016x}"
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
        return self._supervisor.status

    @property
    def is_connected(self) -> bool:
        """Whether there is a link now."""
        return self._supervisor.link is not None

    def on_change(self, listener: Callable[[LinkStatus], None]) -> Callable[[], None]:
        """Call ``listener`` at each change of state; returns a function that ends this."""
        return self._supervisor.on_change(listener)

    def start(self) -> None:
        """Start making the link; `connect` does it."""
        self._supervisor.start()

    async def wait_connected(self, timeout_s: float) -> None:
        """Return when there is a link.

        Raises:
            CannotConnectError: there was none in time; it tells the last attempt's error.
        """
        if self.status.state is LinkState.CLOSED:
            raise self._no_link()
        await self._supervisor.wait_connected(timeout_s)

    async def close(self) -> None:
        """End the link and everything that serves it; closing twice is no error."""
        await self._supervisor.close()
        self._subscriptions.clear()

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
        """Send a message; nobody acknowledges it. Waits while the server takes less than is sent.

        Raises:
            CannotConnectError: there is no link now.
            InvalidInputError: the message cannot be sent: its subject, a header, its size.
        """
        await self.ready_to_send()
        self.publish_nowait(subject, payload, reply=reply, headers=headers)

    def publish_nowait(
        self,
        subject: str,
        payload: bytes,
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a message without waiting; raises what `publish` does, also when 16 MiB wait."""
        link = self._supervisor.link
        if link is None:
            raise self._no_link()
        link.publish(subject, payload, reply, headers)

    async def ready_to_send(self) -> None:
        """Return when not much waits to be sent, or there is no link."""
        link = self._supervisor.link
        if link is not None and link.is_busy:
            await link.flushed()

    async def subscribe(
        self, subject: str, callback: Callable[[Message], None], *, queue: str = ""
    ) -> Subscription:
        """Have ``callback`` called with each message, from the read loop; it must be quick.

        It survives lost links. What is sent while there is no link is not delivered.

        Raises:
            InvalidInputError: the subject is no filter.
        """
        check_filter(subject)
        subscription = Subscription(subject, queue, callback, self)
        self._subscriptions[subscription] = None
        link = self._supervisor.link
        if link is not None:
            subscription.number = link.subscribe(subject, queue, callback)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """End a subscription; `Subscription.unsubscribe` calls this."""
        self._subscriptions.pop(subscription, None)
        number, subscription.number = subscription.number, None
        link = self._supervisor.link
        if link is not None and number is not None:
            link.unsubscribe(number)

    def _subscribe_all(self, link: Link) -> None:
        for each in self._subscriptions:
            each.number = link.subscribe(each.subject, each.queue, each.callback)

    def _no_link(self) -> CannotConnectError:
        if self.status.state is LinkState.CLOSED:
            return CannotConnectError("the connection to NATS is closed")
        return CannotConnectError("there is no link to NATS", remedy="try again when it is back")
