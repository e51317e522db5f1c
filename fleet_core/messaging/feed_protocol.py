"""What a feed tells its handler, and the parts of JetStream's delivery protocol it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACK_TOKENS: Final = 9
"""``$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<ns>.<pending>``."""
_ACK_TOKENS_WITH_DOMAIN: Final = 11
"""The same with a domain and an account hash after ``$JS.ACK``; more tokens may follow."""


class FeedHandler(Protocol):
    """Takes a bucket's changes, in order. An exception is counted and logged, and ends nothing.

    A handler that also has ``on_vanished(key)`` is told by it of keys that a snapshot no longer
    holds though nobody deleted them (a deletion leaves a marker): the store was lost. Others hear
    of them by `on_delete`.
    """

    def on_put(self, key: str, value: bytes, revision: int, received_at_s: float) -> None:
        """Take a value; ``received_at_s`` is when the server took it, in Unix seconds."""

    def on_delete(self, key: str, revision: int) -> None:
        """Take note that a key has no value any more: deleted, or found vanished."""

    def on_synced(self) -> None:
        """Know that all there was has been delivered; called again after every resync."""

    def on_stale(self, reason: str) -> None:
        """Know that changes may be missing from now on, until the next `on_synced`."""


@runtime_checkable
class KnownKeys(Protocol):
    """A handler that can tell which keys it has a value of.

    A feed keeps the keys of its bucket, to find out after an outage which of them have vanished:
    600,000 of them take 67 MB. A handler that has them in some way anyway can spare that.
    """

    def known_keys(self) -> Iterable[str]:
        """Return all keys that it has a value of."""

    def knows(self, key: str, /) -> bool:
        """Tell whether it has a value of a key."""


@dataclass(slots=True)
class FeedStats:
    """Counters of one feed."""

    received: int = 0
    handler_errors: int = 0
    resyncs: int = 0
    last_message_at_s: float | None = None
    """When the server took the newest message, Unix seconds."""
    synced: bool = False
    stale_reason: str = "not connected yet"


class Delivered(NamedTuple):
    """Where a delivered message stands; a tuple, since one is made for every message."""

    revision: int
    consumer_sequence: int
    received_at_s: float
    pending: int
    """Messages still to come before the feed has caught up."""


def parse_ack_subject(reply: str) -> Delivered | None:
    """Read the reply subject of a delivered message; None if it is none."""
    if not reply.startswith("$JS.ACK."):
        return None
    tokens = reply.split(".")
    count = len(tokens)
    try:
        if count == _ACK_TOKENS:
            revision, sequence, ns, pending = map(int, tokens[5:])
        elif count >= _ACK_TOKENS_WITH_DOMAIN:
            revision, sequence, ns, pending = map(int, tokens[7:11])
        else:
            return None
    except ValueError:
        return None
    return Delivered(revision, sequence, ns / 1e9, pending)
