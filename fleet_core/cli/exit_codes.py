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
DEADLINE: Final = 124
"""Of ``fleet exec``: the deadline ended the program, as `timeout(1)` has it."""
EXEC_FAILED: Final = 125
"""Of ``fleet exec``: fleet failed, not the program; as ``docker exec`` and `env(1)` have it."""
INTERRUPTED: Final = 130
"""By ctrl+c; other signals end with 128 + their number, as shells have it."""

_SIGNAL_BASE: Final = 128
_LARGEST: Final = 255


def exit_code_of(error: FleetError) -> int:
    """Return the exit code of a command that an error ended."""
    if isinstance(error, InvalidInputError):
        return USAGE
    if isinstance(error, RetryLaterError):
        return CANNOT_CONNECT
    return FAILED


def exit_code_of_program(code: int | None) -> int:
    """Return the exit code that stands for a program's; None where its deadline ended it.

    One that a signal ended is 128 and the signal's number, as shells have it. What no program can
    end with is 255: it must not be taken for 0.
    """
    if code is None:
        return DEADLINE
    if -_SIGNAL_BASE < code < 0:
        return _SIGNAL_BASE - code
    return code if 0 <= code <= _LARGEST else _LARGEST
