"""What a link to one NATS server can do, whichever way it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from fleet_core.errors import CannotConnectError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleet_core.messaging.protocol import Message

BUSY_BYTES: Final = 1024 * 1024
"""From here on a publisher that can wait should: the server takes less than is sent."""
FULL_BYTES: Final = 16 * 1024 * 1024
"""No more than this waits to be sent."""
CLOSE_TIMEOUT_S: Final = 1.0
"""Granted to a server for taking what is still to be sent; a frozen one never does."""


class Link(Protocol):
    """One link to one server, from its making to its loss. It is never mended: a new one is made.

    No method blocks, and none but `flushed` and `close` waits.
    """

    @property
    def is_alive(self) -> bool:
        """Whether the link stands and everything that serves it still runs."""

    @property
    def is_busy(self) -> bool:
        """Whether more than `BUSY_BYTES` wait to be sent."""

    @property
    def last_error(self) -> str | None:
        """What the server last complained of."""

    def publish(
        self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None
    ) -> None:
        """Send a message.

        Raises:
            InvalidInputError: the message cannot be sent: its subject, a header, its size.
            CannotConnectError: `FULL_BYTES` wait already.
        """

    def subscribe(self, subject: str, queue: str, callback: Callable[[Message], None]) -> int:
        """Have ``callback`` called with each message; returns the subscription's number."""

    def unsubscribe(self, number: int) -> None:
        """End a subscription; one that is gone already is no error."""

    def ping(self, on_pong: Callable[[float], None]) -> None:
        """Measure the round trip, and call ``on_pong`` with its milliseconds."""

    async def flushed(self) -> None:
        """Return when what waits has been handed to the operating system, or the link is gone."""

    async def close(self) -> None:
        """End the link, whatever state it is in, within about `CLOSE_TIMEOUT_S`."""


def full() -> CannotConnectError:
    """Return the error that says that a link takes no more."""
    return CannotConnectError(
        f"{FULL_BYTES >> 20} MiB wait to be sent: NATS takes less than is published",
        remedy="try again when it has caught up",
    )
