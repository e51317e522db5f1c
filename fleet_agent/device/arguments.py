"""The command line of what a person does on the device; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from typing import Final

_INSTALL_HELP: Final = """\
Make the agent a service of systemd: write its unit, and start it now and at every boot.

The system's service (/etc/systemd/system, podman as root) needs root; --user makes it a service of
the calling user (rootless podman). Where there is no configuration, an example is written to fill
in. Calling it again, after an upgrade for instance, changes only what is not as it should be.
The workloads go on running while the agent is stopped, upgraded or uninstalled.
"""
_UNINSTALL_HELP: Final = """\
Stop the service and remove its unit. The containers go on running, and the configuration and what
the agent knows stay where they are; it is told where that is.
"""
_CHECK_HELP: Final = """\
Tell whether this device can do its work: one finding a line, with what to do about it.

Nothing is changed, and no secret is shown. Exit code 0 if nothing fails, 1 otherwise.
"""
_STATUS_HELP: Final = """\
Tell what the agent knows: who this device is, whether the agent runs and has a link, and how each
deployment is. It is read from the agent's files, so it is there without a network and without the
agent, too; how old it is is told. Exit code 0 if there is something to show, 1 otherwise.
"""

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def add_device_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add ``install``, ``uninstall``, ``check`` and ``status``."""
    _add_install(commands)
    _add_uninstall(commands)
    _add_check(commands)
    _add_status(commands)


def _add_install(commands: Commands[argparse.ArgumentParser]) -> None:
    command = _command(commands, "install", "make the agent a service of systemd", _INSTALL_HELP)
    command.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration that the service reads (default: /etc/fleet-agent/config.toml, "
        "with --user ~/.config/fleet-agent/config.toml)",
    )
    command.add_argument("--no-start", action="store_true", help="only start it at the next boot")
    command.add_argument(
        "--enable-linger",
        action="store_true",
        help="with --user: have it run while the user is not logged in",
    )
    _add_service_options(command)


def _add_uninstall(commands: Commands[argparse.ArgumentParser]) -> None:
    command = _command(commands, "uninstall", "remove the service again", _UNINSTALL_HELP)
    _add_service_options(command)


def _add_service_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--user", action="store_true", help="a service of the calling user")
    command.add_argument(
        "--dry-run", action="store_true", help="tell what would be done, and do nothing"
    )
    command.add_argument(
        "--force", action="store_true", help="even where somebody else wrote the unit"
    )


def _add_check(commands: Commands[argparse.ArgumentParser]) -> None:
    command = _command(commands, "check", "tell whether this device can do its work", _CHECK_HELP)
    _add_reading(command)
    command.add_argument(
        "-v", "--verbose", action="count", default=0, help="log too; twice, log everything"
    )


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", metavar="FILE", help="instead of FLEET_AGENT_CONFIG")
    command.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="(default: text)"
    )


def _add_status(commands: Commands[argparse.ArgumentParser]) -> None:
    command = _command(commands, "status", "tell what the agent knows", _STATUS_HELP)
    _add_reading(command)


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, short: str, long: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=short,
        description=long,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
