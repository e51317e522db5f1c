"""Runs one command: logging, signals, and errors told in a sentence instead of a traceback."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.arguments import parse
from fleet_core.cli.output import narrate
from fleet_core.contracts.text import printable
from fleet_core.errors import FleetError, InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Sequence

DEBUG_VARIABLE: Final = "FLEET_DEBUG"
_MESSAGE_MAX_CHARS: Final = 2_000
_BUG = "fleet itself failed: {}; FLEET_DEBUG=1 shows where. Please report it"


def run_command(argv: Sequence[str]) -> int:
    """Parse and run a command line; returns the exit code."""
    try:
        options = parse(argv)
    except SystemExit as ended:
        # argparse has told what is wrong, or shown the help.
        return ended.code if isinstance(ended.code, int) else exit_codes.USAGE
    _log_to_stderr(options.verbose)
    try:
        module, function = options.command.split(":")
        command: Callable[[argparse.Namespace], int | Coroutine[object, object, int]]
        command = getattr(importlib.import_module(module), function)
        outcome = command(options)
        return outcome if isinstance(outcome, int) else _run_until_signalled(outcome)
    except FleetError as error:
        _show_traceback()
        tell(error, getattr(options, "filter", "") or "")
        code = exit_codes.exit_code_of(error)
        return code if code == exit_codes.USAGE else getattr(options, "failure_code", code)
    except Exception as error:  # noqa: BLE001 - the last door: a person sees a sentence
        _show_traceback()
        narrate("fleet: " + _BUG.format(printable(f"{type(error).__name__}: {error}")))
        return getattr(options, "failure_code", exit_codes.FAILED)


def tell(error: FleetError, filter_text: str = "") -> None:
    """Tell an error in one sentence; under a wrong filter, a caret shows the place."""
    text = error.message
    if isinstance(error, InvalidInputError) and error.expected and not error.remedy:
        text += "" if error.expected in text else f"; expected {error.expected}"
    text += f" ({error.remedy})" if error.remedy else ""
    narrate(f"fleet: {printable(text, _MESSAGE_MAX_CHARS)}")
    position = getattr(error, "position", None)
    if position is not None and filter_text:
        narrate(f"  {printable(filter_text)}\n  {' ' * position}^")


def _show_traceback() -> None:
    if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        traceback.print_exc()


def _log_to_stderr(verbosity: int) -> None:
    level = (logging.ERROR, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _run_until_signalled(command: Coroutine[object, object, int]) -> int:
    """Run a command on an event loop; a signal cancels it, so that it can clear up."""
    return asyncio.run(_cancelled_by_signals(command))


async def _cancelled_by_signals(command: Coroutine[object, object, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)
    received: list[int] = []

    def stop(number: int) -> None:
        if received:
            os._exit(128 + number)  # the second signal is in a hurry
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup does with SIGHUP
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
