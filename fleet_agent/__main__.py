"""``fleet-agent``: run this device's agent or a simulated fleet, install it, and check a device."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from fleet_agent import __version__
from fleet_agent.device.arguments import add_device_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DESCRIPTION: Final = "The device agent: makes the desired deployments run, and tells what it sees."
_RUN_HELP: Final = """\
Run this device's agent until SIGTERM (exit 0) or SIGINT (exit 130).

Configuration: the TOML file that --config or FLEET_AGENT_CONFIG names (default
/etc/fleet-agent/config.toml), overridden by the environment:

  [agent]        FLEET_AGENT_DEVICE_ID, FLEET_AGENT_RUNTIME, FLEET_AGENT_RUNTIME_ENABLED, …
  [nats]         FLEET_AGENT_NATS_URL, FLEET_AGENT_NATS_URLS, …
  [credentials]  FLEET_AGENT_CREDENTIALS_TYPE, …_USER, …_PASSWORD
  [labels]       FLEET_AGENT_LABELS=site=berlin,ring=2
  [podman]       FLEET_AGENT_PODMAN_SOCKET
  [containers]   what this device lets containers do: in the file alone
  [registries]   accounts of registries: in the file alone
"""
_SIMULATE_HELP: Final = """\
Run many agents in one process, over simulated containers, with the faults of a profile, until
SIGTERM (exit 0) or SIGINT (exit 130). The same seed gives the same fleet.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(argv)
    return _command(options.command)(options)


def _command(name: str) -> Callable[[argparse.Namespace], int]:
    """Import what a command needs, and only that: --help and usage errors answer at once."""
    if name in {"run", "simulate"}:
        from fleet_agent import commandline  # noqa: PLC0415 - see above

        return commandline.run if name == "run" else commandline.simulate
    from fleet_agent.device import commands  # noqa: PLC0415 - see above

    found: dict[str, Callable[[argparse.Namespace], int]] = {
        "install": commands.install,
        "uninstall": commands.uninstall,
        "check": commands.check,
        "status": commands.status,
    }
    return found[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet-agent", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"fleet-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    add_device_commands(commands)
    _add_simulate(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "run",
        help="run this device's agent",
        description=_RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--config", metavar="FILE", help="instead of FLEET_AGENT_CONFIG")
    _add_verbosity(command)


def _add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "simulate",
        help="run a simulated fleet",
        description=_SIMULATE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--devices", type=_count, default=200, metavar="N", help="how many (default: 200)"
    )
    command.add_argument(
        "--profile",
        default="demo",
        metavar="NAME|FILE",
        help="demo, healthy, or a TOML file (default: demo)",
    )
    command.add_argument(
        "--nats",
        default="nats://127.0.0.1:4222",
        metavar="URL",
        help="the server (default: nats://127.0.0.1:4222)",
    )
    command.add_argument("--seed", type=int, default=1, help="what chance is drawn from")
    command.add_argument(
        "--connections", type=_count, metavar="K", help="shared by the devices (default: few)"
    )
    command.add_argument("--prefix", default="", help="put before every device's id")
    _add_verbosity(command)


def _add_verbosity(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell more; twice, even more"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
