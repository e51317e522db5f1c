"""What devices answered, read with distrust: replies decoded, errors re-rooted, text made inert."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fleet_core.contracts.base import decode
from fleet_core.contracts.commands import ErrorReply
from fleet_core.contracts.text import printable
from fleet_core.errors import (
    BrokenError,
    ConflictError,
    DeviceOfflineError,
    DeviceTimeoutError,
    FleetError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    RetryLaterError,
)
from fleet_core.operations.plans import TargetResult

if TYPE_CHECKING:
    from fleet_core.contracts.base import Wire

_Model = TypeVar("_Model", bound="Wire")

_KINDS: dict[str, type[FleetError]] = {
    kind.kind: kind
    for kind in (
        BrokenError,
        ConflictError,
        InvalidInputError,
        NotFoundError,
        RefusedError,
        RetryLaterError,
    )
}


def read_reply(model: type[_Model], data: bytes) -> _Model:
    """Return a device's answer.

    Raises:
        FleetError: the device answered with an error; of the kind that it told.
        InvalidInputError: what it answered is neither the model nor an error.
    """
    try:
        return decode(model, data)
    except InvalidInputError:
        if (told := _told_error(data)) is not None:
            raise told from None
        raise


def _told_error(data: bytes) -> FleetError | None:
    try:
        error = decode(ErrorReply, data).error
    except InvalidInputError:
        return None
    return _KINDS.get(error.kind, BrokenError)(printable(error.message))


def failed(target: str, error: FleetError) -> TargetResult:
    """Return the result of a target that an error came back for."""
    message = printable(str(error))
    if isinstance(error, DeviceOfflineError):
        message = "offline: nobody answers for it"
    elif isinstance(error, DeviceTimeoutError):
        message = "no answer in time; it may still have acted"
    return TargetResult(target, ok=False, message=message, kind=error.kind)
