"""One session of the terminal UI, from the arguments to the exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fleet_core.operations.config_file import choose_context, config_path, read_config
from fleet_tui.app import FleetApp
from fleet_tui.history import state_directory
from fleet_tui.opening import ContextOpener, DemoOpener
from fleet_tui.options import Options
from fleet_tui.terminal.terminal_app import run_in_terminal

if TYPE_CHECKING:
    import argparse

    from fleet_tui.opening import Opener


def run_session(wanted: argparse.Namespace) -> int:
    """Run a session; returns the exit code.

    Raises:
        InvalidInputError: the config file or the URL is wrong, or nothing names a NATS.
        NotFoundError: there is no such context.
    """
    config = read_config(config_path())
    opener: Opener
    if wanted.demo is not None:
        opener = DemoOpener(wanted.demo, read_only=wanted.read_only)
    else:
        careful = True if wanted.read_only else False if wanted.read_write else None
        opener = ContextOpener(
            choose_context(url=wanted.nats, name=wanted.context, read_only=careful)
        )
    options = Options(
        command=wanted.command,
        keys=config.keys,
        views=config.views,
        state_directory=None if wanted.ssh else state_directory(os.environ),
        restricted=wanted.ssh,
    )
    return run_in_terminal(FleetApp(opener, options), mouse=wanted.mouse)
