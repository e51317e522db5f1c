"""How to reach NATS, and what is told of the link."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_USER_INFO = re.compile(r"(?<=://)[^/@]*@")


def without_credentials(server: str) -> str:
    """Return the URL without the user and password it may carry: for messages and screens."""
    return _USER_INFO.sub("", server)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where NATS is, and as whom to go there.

    Raises:
        InvalidInputError: no server is named.
    """

    servers: tuple[str, ...] = field(repr=False)
    """URLs, as ``nats://127.0.0.1:4222``; tried in turn."""
    name: str = "fleet"
    """Shown by the server in its list of connections."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    inbox_prefix: str = "_INBOX"
    connect_timeout_s: float = 5.0
    ping_interval_s: float = 5.0
    """Two unanswered pings end the link: the library's default of 120 s takes 6 min to notice a
    half-open peer."""
    on_complaint: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    """Called with what the server complains of on a link that stays: a subject that this user may
    not publish or subscribe to. Nobody else is told of it. It must not raise, and be quick."""

    def __post_init__(self) -> None:
        if not self.servers:
            raise InvalidInputError(
                "no NATS server is named", path="servers", expected="at least one URL"
            )

    def where(self) -> str:
        """Return the servers as a person may read them, without credentials."""
        return ", ".join(map(without_credentials, self.servers))


class LinkState(StrEnum):
    """Whether there is a link to NATS."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What is known of the link."""

    state: LinkState
    server: str = ""
    """Its URL, without credentials."""
    rtt_ms: float | None = None
    connected_at_s: float | None = None
    """Unix seconds."""
    reconnects: int = 0
    last_error: str | None = None
    """Why the last attempt failed, or why the last link was lost."""
