"""Errors of the Kubernetes client, re-rooted in the fleet's tree."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable
from fleet_core.errors import (
    BrokenError,
    CannotConnectError,
    ConflictError,
    FleetError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    RetryLaterError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGE_MAX_CHARS: Final = 1_000
_BY_STATUS: Final[Mapping[int, type[FleetError]]] = {
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: RetryLaterError,
    HTTPStatus.TOO_MANY_REQUESTS: RetryLaterError,
    HTTPStatus.UNAUTHORIZED: RefusedError,
    HTTPStatus.FORBIDDEN: RefusedError,
    HTTPStatus.BAD_REQUEST: InvalidInputError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidInputError,
}
"""As the API conventions of Kubernetes say what a caller should do about a status."""


def of_status(status: int, reason: str, body: str | bytes | None) -> FleetError:
    """Return the error for what an API server answered."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = RetryLaterError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else BrokenError
    message = f"Kubernetes: {_message(body) or reason or status}"
    if kind is RefusedError:
        return RefusedError(message, remedy="fleet operator crds prints the roles that it needs")
    return kind(message)


def no_answer(host: str, error: Exception) -> FleetError:
    """Return the error for an API server that does not answer."""
    reason = printable(str(error), 200)
    return CannotConnectError(
        f"the API server {host} does not answer: {reason}",
        remedy="see whether kubectl reaches it",
    )


def _message(body: str | bytes | None) -> str:
    """Return the words of a Kubernetes ``Status``."""
    try:
        told = json.loads(body or b"")["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    return printable(str(told), _MESSAGE_MAX_CHARS)
