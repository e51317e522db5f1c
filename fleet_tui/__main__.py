"""``fleet-tui``: the terminal UI for fleet operators."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fleet_core.errors import FleetError, InvalidInputError, NotFoundError
from fleet_tui import __version__
from fleet_tui.arguments import parse_arguments
from fleet_tui.terminal.environment import EXIT_NO_TERMINAL, check_terminal, prepare_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    wanted = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    if wanted.version:
        print(f"fleet-tui {__version__}")  # noqa: T201 - this is a command line
        return 0
    try:
        check_terminal(os.environ)
    except FleetError as error:
        print(f"fleet-tui: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_NO_TERMINAL
    prepare_environment(os.environ)
    try:
        from fleet_tui.session import run_session  # noqa: PLC0415 - the environment comes first
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("textual", "rich"):
            raise
        missing = "the terminal UI is not installed (pip install 'fleet-tui[tui]')"
        print(f"fleet-tui: {missing}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_FAILED

    try:
        return run_session(wanted)
    except (InvalidInputError, NotFoundError) as error:
        print(f"fleet-tui: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_USAGE
    except FleetError as error:
        print(f"fleet-tui: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
