"""``fleet version``: the version of this program."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.output import Output

if TYPE_CHECKING:
    import argparse

DISTRIBUTION: Final = "fleet-tui"


def version(options: argparse.Namespace) -> int:
    """Print it."""
    try:
        found = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        found = "unknown (not installed)"
    output = Output()
    if options.output == "json":
        output.json({"version": found})
    else:
        output.line(found)
    return exit_codes.OK
