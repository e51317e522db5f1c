"""NATS' text protocol, as far as it is written and read here and not by the library.

Sources: the protocol reference of NATS (``PUB``, ``HPUB``, ``SUB``, ``MSG``, ``HMSG``), and its
ADR-4 for headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_HEADER: Final = "Status"
DESCRIPTION_HEADER: Final = "Description"
SUBJECT_MAX_CHARS: Final = 1_024
"""The server closes the link on a control line over 4,096 bytes (its ``max_control_line``)."""

_PUBLISH_SUBJECT = re.compile(r"\$JS\.API\.[^\x00-\x20\x7f]+|[^\x00-\x20\x7f*>]+")
"""JetStream's API takes a filter, wildcards and all, as a part of a subject."""
_TOKEN = re.compile(r"[^\x00-\x20\x7f.]+")
_HEADER_NAME = re.compile(r"[!-9;-~]+")
_HEADER_VALUE = re.compile(r"[^\r\n\x00]*")
_HEADER_LINE: Final = b"NATS/1.0"


@dataclass(slots=True)
class Message:
    """One message as it was delivered."""

    subject: str
    data: bytes
    reply: str
    headers: Mapping[str, str] | None


def publish_command(
    subject: str, reply: str, payload: bytes, headers: Mapping[str, str] | None
) -> bytes:
    """Return the command that publishes a message.

    Raises:
        InvalidInputError: the subject or a header cannot stand on a line of the protocol.
    """
    if not _may_be_published_on(subject) or (reply and not _may_be_published_on(reply)):
        raise InvalidInputError(
            f"{subject[:80]!r} is no subject to publish on",
            path="subject",
            expected=f"1 to {SUBJECT_MAX_CHARS} characters without spaces, '*' and '>'",
        )
    target = f"{subject} {reply} " if reply else f"{subject} "
    if not headers:
        return f"PUB {target}{len(payload)}\r\n".encode() + payload + b"\r\n"
    block = _header_block(headers)
    line = f"HPUB {target}{len(block)} {len(block) + len(payload)}\r\n"
    return line.encode() + block + payload + b"\r\n"


def _may_be_published_on(subject: str) -> bool:
    return len(subject) <= SUBJECT_MAX_CHARS and _PUBLISH_SUBJECT.fullmatch(subject) is not None


def _header_block(headers: Mapping[str, str]) -> bytes:
    lines = [_HEADER_LINE.decode()]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidInputError(
                f"the header {name[:80]!r} cannot be sent",
                path=f"headers.{name[:80]}",
                expected="a name of visible ASCII without ':', a value on one line",
            )
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode()


def subscribe_command(subject: str, queue: str, number: int) -> bytes:
    """Return the command that subscribes. The subject is checked by `check_filter`."""
    return f"SUB {subject} {queue} {number}\r\n".encode()


def unsubscribe_command(number: int) -> bytes:
    """Return the command that ends a subscription."""
    return f"UNSUB {number}\r\n".encode()


def check_filter(subject: str) -> None:
    """Let only sound subject filters pass: the server closes the link on others.

    Raises:
        InvalidInputError: it is none.
    """
    tokens = subject.split(".")
    sound = all(map(_TOKEN.fullmatch, tokens)) and ">" not in tokens[:-1]
    if not sound or len(subject) > SUBJECT_MAX_CHARS:
        raise InvalidInputError(
            f"{subject[:80]!r} is no subject filter",
            path="subject",
            expected="tokens joined by dots, '*' for one, '>' as the last for all that follow",
        )


def parse_headers(raw: bytes) -> dict[str, str]:
    """Return a message's headers; what is malformed is left out, bytes that are no UTF-8 replaced.

    An inline status (``NATS/1.0 503 No Responders``) becomes `STATUS_HEADER` and
    `DESCRIPTION_HEADER`. Header lines of these two names are left out: a sender could otherwise
    pass its message off as a status of the server.
    """
    first, _, rest = raw.partition(b"\r\n")
    headers = {}
    status = first.removeprefix(_HEADER_LINE).decode("utf-8", "replace").strip()
    if status:
        code, _, description = status.partition(" ")
        headers[STATUS_HEADER] = code
        if description:
            headers[DESCRIPTION_HEADER] = description
    for line in rest.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.strip()
        if colon and name and name not in (STATUS_HEADER, DESCRIPTION_HEADER):
            headers[name] = value.strip()
    return headers
