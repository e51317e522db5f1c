"""The app of `sample_app`, apart from it because it imports Textual."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from textual.widgets import Static

from fleet_tui.table import Cell, Column, StaticSource, VirtualTable
from fleet_tui.terminal.terminal_app import TerminalApp, run_in_terminal

if TYPE_CHECKING:
    import argparse

    from textual.app import ComposeResult

COLUMNS = (Column("device", "DEVICE", 14), Column("note", "NOTE", 20, flex=1))
STUCK_AT_TICK = 5


class SampleApp(TerminalApp):
    """One table and one line."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        self.ticks = 0
        self.source = StaticSource(COLUMNS)
        self.table = VirtualTable(self.source)
        self.said = Static("", markup=False)
        self.said.styles.dock = "bottom"

    def compose(self) -> ComposeResult:
        yield self.table
        yield self.said

    def on_mount(self) -> None:
        self.change()
        self.set_interval(1 / self.options.hz, self.change)

    def change(self) -> None:
        """Change every line."""
        self.ticks += 1
        if self.options.ticks_fd is not None:
            os.write(self.options.ticks_fd, f"{self.ticks}\n".encode())
        if self.options.stuck and self.ticks == STUCK_AT_TICK:
            time.sleep(60)
        note: Cell = (f"{self.ticks} " + "busy " * 40, "text")
        names = [f"device-{row:05}" for row in range(self.options.rows)]
        self.source.replace((name, ((name, "text"), note)) for name in names)
        self.table.tick()
        self.say()

    def say(self) -> None:
        """Show where the app is."""
        key = self.table.cursor_key
        self.said.update(f"tick={self.ticks} cursor={key} dropped={self.frames_dropped}.")

    def on_virtual_table_cursor_moved(self) -> None:
        self.say()

    def key_q(self) -> None:
        self.exit(return_code=0)


def run(options: argparse.Namespace) -> int:
    """Run the app in the terminal that the program has."""
    return run_in_terminal(SampleApp(options))
