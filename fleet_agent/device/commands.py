"""What the device's commands start, what they print, and their exit codes."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.device.install import InstallOptions, plan_install, unit_of
from fleet_agent.device.machine import Machine
from fleet_agent.device.program import program_command
from fleet_agent.device.service import Service
from fleet_agent.device.uninstall import plan_uninstall
from fleet_core.errors import FleetError, InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from fleet_agent.device.steps import Plan

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def install(options: argparse.Namespace, machine: Machine | None = None) -> int:
    """Install the service; returns the exit code."""
    return _answering(lambda: _install(options, machine or Machine.this()))


def uninstall(options: argparse.Namespace, machine: Machine | None = None) -> int:
    """Remove the service; returns the exit code."""
    return _answering(lambda: _uninstall(options, machine or Machine.this()))


def check(options: argparse.Namespace, machine: Machine | None = None) -> int:
    """Tell whether this device can do its work; returns the exit code."""
    # What goes wrong is told as a finding; the log would tell it again, in other words.
    level = (logging.CRITICAL, logging.INFO, logging.DEBUG)[min(options.verbose, 2)]
    logging.basicConfig(level=level, stream=sys.stderr)
    from fleet_agent.device.check import as_json, as_text, diagnose, is_sound  # noqa: PLC0415 - not for install

    findings = diagnose(machine or Machine.this(), Path(options.config) if options.config else None)
    sys.stdout.write((as_json if options.output == "json" else as_text)(findings))
    return EXIT_OK if is_sound(findings) else EXIT_FAILED


def status(options: argparse.Namespace, machine: Machine | None = None) -> int:
    """Tell what the agent knows, whether it runs or not; returns the exit code."""
    return _answering(lambda: _status(options, machine or Machine.this()))


def _status(options: argparse.Namespace, machine: Machine) -> int:
    from fleet_agent.device.status import read_status  # noqa: PLC0415 - as in check
    from fleet_agent.device.status_output import status_json, status_text  # noqa: PLC0415 - as in check

    found = read_status(machine, Path(options.config) if options.config else None)
    show = status_json if options.output == "json" else status_text
    sys.stdout.write(show(found, time.time()))
    return EXIT_OK


def _install(options: argparse.Namespace, machine: Machine) -> int:
    if options.enable_linger and not options.user:
        raise InvalidInputError(
            "--enable-linger goes with --user: the system's services run without a login anyway"
        )
    service = Service(machine, options.user)
    config = Path(options.config) if options.config else machine.config_file(for_user=options.user)
    asked = InstallOptions(
        Path.cwd() / config, start=not options.no_start, linger=options.enable_linger
    )
    unit = unit_of(service, program_command(sys.argv[0], sys.executable), asked.config)
    if options.dry_run:
        sys.stdout.write(unit)
        return _rehearse(options, service, lambda: plan_install(service, unit, asked))
    _refuse_obstacle(options, service)
    plan_install(service, unit, asked).carry_out(_say)
    return EXIT_OK


def _uninstall(options: argparse.Namespace, machine: Machine) -> int:
    service = Service(machine, options.user)
    if options.dry_run:
        return _rehearse(options, service, lambda: plan_uninstall(service))
    _refuse_obstacle(options, service)
    plan_uninstall(service).carry_out(_say)
    return EXIT_OK


def _rehearse(options: argparse.Namespace, service: Service, plan: Callable[[], Plan]) -> int:
    """Tell what would be done, or that it would be refused: the exit code is the same."""
    plan().rehearse(_narrate)
    _refuse_obstacle(options, service)
    return EXIT_OK


def _refuse_obstacle(options: argparse.Namespace, service: Service) -> None:
    obstacle = service.obstacle(force=options.force)
    if obstacle is not None:
        raise obstacle


def _answering(work: Callable[[], int]) -> int:
    try:
        return work()
    except FleetError as error:
        sys.stderr.write(f"fleet-agent: {error}\n")
        return EXIT_USAGE if isinstance(error, InvalidInputError) else EXIT_FAILED


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _narrate(line: str) -> None:
    sys.stderr.write(f"{line}\n")
