"""The arguments of ``fleet-tui``; nothing heavy is imported for ``--help``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

DEMO_DEVICES: Final = 200
DEMO_DEVICES_MAX: Final = 20_000

_DESCRIPTION: Final = """\
A terminal for fleets of edge devices: what runs where, what fails and why; ping, logs, redeploy.

  fleet-tui --demo                     a live fleet of 200 devices on this machine
  fleet-tui --nats nats://host:4222    your own
  fleet-tui -c ':devices /site=berlin' a link to hand to a colleague
"""
_EPILOG: Final = """\
Without --nats and --context, $FLEET_NATS_URL or the config file's current-context decide.
Exit codes: 0 ok, 1 failed, 2 wrong use or no terminal, 3 cannot connect."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for; ends the process where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="fleet-tui",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--nats", metavar="URL", help="the NATS server")
    where.add_argument("--context", metavar="NAME", help="a context of the config file")
    where.add_argument(
        "--demo",
        nargs="?",
        type=_devices,
        const=DEMO_DEVICES,
        metavar="N",
        help=f"run a live fleet of N devices on this machine (default: {DEMO_DEVICES})",
    )
    parser.add_argument(
        "-c", "--command", default="", metavar="COMMAND", help="what to open, as ':failures'"
    )
    careful = parser.add_mutually_exclusive_group()
    careful.add_argument("--read-only", action="store_true", help="change nothing")
    careful.add_argument(
        "--read-write", action="store_true", help="allow changes in a production context"
    )
    parser.add_argument(
        "--ssh",
        action="store_true",
        help="for ForceCommand: no files are read or written for whoever looks",
    )
    parser.add_argument(
        "--mouse",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="take the mouse (default: not over SSH, where it is for selecting text)",
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    return parser.parse_args(arguments)


def _devices(text: str) -> int:
    count = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= count <= DEMO_DEVICES_MAX:
        raise argparse.ArgumentTypeError(f"expected 1 to {DEMO_DEVICES_MAX}, not {text[:20]!r}")
    return count
