"""How to reach NATS, and what is told of the link."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where NATS is, and as whom to go there."""

    servers: tuple[str, ...]
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
    rtt_ms: float | None = None
    connected_at_s: float | None = None
    """Unix seconds."""
    reconnects: int = 0
    last_error: str | None = None
