"""A program for the terminal tests: a table whose every line changes many times a second.

Run as ``python -m tests.tui.terminal.sample_app [--rows N] [--hz N] [--ticks-fd FD] [--stuck]``.
It shows its tick as ``tick=N`` and writes the same number to FD, which tells from outside whether
its event loop turns.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from fleet_core.errors import FleetError
from fleet_tui.terminal.environment import check_terminal, prepare_environment


def main() -> int:
    """Run the sample."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--hz", type=float, default=20.0)
    parser.add_argument("--ticks-fd", type=int)
    parser.add_argument("--stuck", action="store_true", help="block the event loop at tick 5")
    options = parser.parse_args()
    try:
        check_terminal(os.environ)
    except FleetError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    prepare_environment(os.environ)
    # Textual reads the environment when it is imported.
    exit_code: int = importlib.import_module("tests.tui.terminal.sample_screen").run(options)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
