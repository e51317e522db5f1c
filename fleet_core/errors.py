"""The one tree of errors, named by what the caller should do.

::

    FleetError                    something a person or a caller must hear about
    ├── InvalidInputError         mend the input, then try again        (carries path, expected)
    ├── NotFoundError             name something that exists
    ├── RefusedError              not allowed here; ask whoever may
    ├── ConflictError             somebody else wrote first: read again, decide again
    ├── RetryLaterError           nothing is wrong with the request; try again later
    │   ├── CannotConnectError    no link to NATS
    │   ├── DeviceOfflineError    nobody answers for the device right now
    │   └── DeviceTimeoutError    the device did not answer in time; it may still have acted
    └── BrokenError               this program or its surroundings are broken; do not retry

Errors of other libraries are re-rooted here and chained (``raise … from error``).
"""

from __future__ import annotations


class FleetError(Exception):
    """Base of the tree: one clear sentence, and the remedy if there is one."""

    kind = "error"
    """A short stable word for machines: error replies, JSON output, audit records."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class InvalidInputError(FleetError):
    """Input was refused at the door: mend it, then try again."""

    kind = "invalid"

    def __init__(
        self, message: str, *, path: str = "", expected: str = "", remedy: str = ""
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.path = path
        """Where in the input, as ``spec.score.data.services[0].image``; empty for the whole."""
        self.expected = expected
        """What would have been right there."""


class NotFoundError(FleetError):
    """What was named does not exist: name something that does."""

    kind = "not-found"


class RefusedError(FleetError):
    """The request is understood and not allowed; asking again changes nothing."""

    kind = "refused"


class ConflictError(FleetError):
    """Somebody else wrote first: read again, decide again."""

    kind = "conflict"


class RetryLaterError(FleetError):
    """Nothing is wrong with the request: try again later."""

    kind = "retry-later"


class CannotConnectError(RetryLaterError):
    """There is no link to NATS."""

    kind = "cannot-connect"


class DeviceOfflineError(RetryLaterError):
    """Nobody answers for the device: the server knows of no responder."""

    kind = "offline"


class DeviceTimeoutError(RetryLaterError):
    """The device did not answer in time; it may still have acted."""

    kind = "timeout"


class BrokenError(FleetError):
    """This program or its surroundings are broken: retrying will not help."""

    kind = "broken"
