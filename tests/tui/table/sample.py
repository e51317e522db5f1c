"""A source like that of the devices screen, of any length, and an app that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_tui.table import Column, Sort, VirtualTable
from fleet_tui.terminal.terminal_app import TerminalApp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.message import Message

    from fleet_tui.table import Cell

COLUMNS = (
    Column("device", "DEVICE", 16, flex=1, max_width=30),
    Column("state", "STATE", 10),
    Column("site", "SITE", 8),
    Column("reason", "REASON", 12, flex=3),
    Column("restarts", "RESTARTS", 8, align="right"),
    Column("seen", "SEEN", 5, align="right"),
)
STATES = (
    ("● online", "online"),
    ("◐ stale", "stale"),
    ("○ offline", "offline"),
    ("? unknown", "unknown"),
)
REASONS = (("", "text"), ("web Init:CrashLoopBackOff (3)", "failed"), ("web Init:1/2", "pending"))
SITES = ("berlin", "paris", "lyon")


class SampleSource:
    """Columnar rows that count how often they are drawn."""

    def __init__(self, count: int) -> None:
        self.columns: Sequence[Column] = COLUMNS
        self.sort: Sort | None = Sort("device")
        self.version = 0
        self.names = [f"{SITES[row % 3]}-van-{row:06}" for row in range(count)]
        self.restarts = [0] * count
        self.rows = list(range(count))
        self.row_of = {name: row for row, name in enumerate(self.names)}
        self.drawn: list[int] = []

    def key(self, row: int, /) -> str:
        return self.names[row]

    def row(self, key: str, /) -> int | None:
        return self.row_of.get(key)

    def cells(self, row: int, /) -> tuple[Cell, ...]:
        self.drawn.append(row)
        return (
            (self.names[row], "text"),
            STATES[row % 7 if row % 7 < len(STATES) else 0],
            (SITES[row % 3], "dim"),
            REASONS[row % 5 if row % 5 < len(REASONS) else 0],
            (str(self.restarts[row]), "text"),
            ("ok", "dim"),
        )

    def fingerprint(self, row: int, /) -> int:
        return self.restarts[row]

    def reorder(self, rows: Sequence[int]) -> None:
        """Show these rows, in this order."""
        self.rows = list(rows)
        self.version += 1


class SampleApp(TerminalApp):
    """One table, and what it said."""

    def __init__(self, source: SampleSource) -> None:
        super().__init__()
        self.source = source
        self.table = VirtualTable(source, id="devices")
        self.said: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_virtual_table_cursor_moved(self, message: VirtualTable.CursorMoved) -> None:
        self.said.append(message)

    def on_virtual_table_row_opened(self, message: VirtualTable.RowOpened) -> None:
        self.said.append(message)

    def on_virtual_table_marks_changed(self, message: VirtualTable.MarksChanged) -> None:
        self.said.append(message)

    def lines(self) -> list[str]:
        """Return what is on the screen."""
        return [strip.text for strip in self.screen._compositor.render_strips()]
