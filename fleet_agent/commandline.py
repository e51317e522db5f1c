"""What the command line starts: the agent or a fleet, its logging, its signals, its exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_core.errors import FleetError, InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine


EXIT_OK: Final = 0
EXIT_BROKEN: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
_EXIT_BY_SIGNAL: Final = {signal.SIGTERM: EXIT_OK, signal.SIGINT: EXIT_INTERRUPTED}


def run(options: argparse.Namespace) -> int:
    """Run this device's agent; returns the exit code."""
    _set_up_logging(options.verbose)
    from fleet_agent.assembly import run_agent  # noqa: PLC0415 - only this command needs it
    from fleet_agent.config import environment, load_config  # noqa: PLC0415 - as above

    try:
        config = load_config(environment(), Path(options.config) if options.config else None)
    except InvalidInputError as error:
        return _complain(error, EXIT_USAGE)
    return _run_until_signalled(run_agent(config))


def simulate(options: argparse.Namespace) -> int:
    """Run a simulated fleet; returns the exit code."""
    _set_up_logging(options.verbose)
    from fleet_agent.simulation.fleet import FleetOptions, run_fleet  # noqa: PLC0415 - as in run
    from fleet_agent.simulation.profile import load_profile  # noqa: PLC0415 - as in run
    from fleet_core.messaging import ConnectionSettings  # noqa: PLC0415 - as in run

    try:
        profile = load_profile(options.profile)
    except InvalidInputError as error:
        return _complain(error, EXIT_USAGE)
    settings = ConnectionSettings(servers=(options.nats,), name="fleet-agent simulate")
    fleet = FleetOptions(options.devices, options.seed, options.prefix, options.connections)
    return _run_until_signalled(run_fleet(profile, settings, fleet))


def _run_until_signalled(work: Coroutine[None, None, None]) -> int:
    try:
        received = asyncio.run(_until_signalled(work))
    except InvalidInputError as error:
        return _complain(error, EXIT_USAGE)
    except FleetError as error:
        return _complain(error, EXIT_BROKEN)
    return _EXIT_BY_SIGNAL.get(received, EXIT_OK)


async def _until_signalled(work: Coroutine[None, None, None]) -> signal.Signals:
    """Do the work until a signal ends it; returns which."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    for number in _EXIT_BY_SIGNAL:
        loop.add_signal_handler(number, end, number)
    # What has been imported stays for good: the collector need not look at it again and again.
    gc.freeze()
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    except BaseExceptionGroup as failures:
        raise _first(failures) from failures
    return received[0] if received else signal.SIGTERM


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _complain(error: FleetError, exit_code: int) -> int:
    sys.stderr.write(f"fleet-agent: {error}\n")
    return exit_code


def _set_up_logging(verbose: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
