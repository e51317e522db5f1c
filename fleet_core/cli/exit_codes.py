"""The exit codes of ``fleet``: an interface that scripts rely on."""

from __future__ import annotations

from typing import Final

from fleet_core.errors import FleetError, InvalidInputError, RetryLaterError

OK: Final = 0
FAILED: Final = 1
"""Something failed, on some of the targets or on all."""
USAGE: Final = 2
"""The command line, the configuration, a filter or a manifest is wrong."""
CANNOT_CONNECT: Final = 3
"""There is no link to NATS, or the fleet's data is not there: try again later."""
INTERRUPTED: Final = 130
"""By ctrl+c; other signals end with 128 + their number, as shells have it."""


def exit_code_of(error: FleetError) -> int:
    """Return the exit code of a command that an error ended."""
    if isinstance(error, InvalidInputError):
        return USAGE
    if isinstance(error, RetryLaterError):
        return CANNOT_CONNECT
    return FAILED
