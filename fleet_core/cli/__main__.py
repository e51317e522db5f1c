"""The entry point of ``fleet``: runs a command, and turns whatever ends it into an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    try:
        # The rest is imported here, so that ctrl+c during the imports is quiet too.
        from fleet_core.cli.running import run_command  # noqa: PLC0415

        return run_command(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
