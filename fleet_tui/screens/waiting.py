"""What is seen for a moment at the start, before there is a fleet to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from fleet_core.contracts.text import printable
from fleet_tui.screens.fleet_screen import FleetScreen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_tui.table.source import Cell


class WaitingScreen(FleetScreen):
    """Says what is waited for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose_body(self) -> Iterable[Widget]:
        """Return the text."""
        yield Static(Text(printable(self._text), justify="center"), id="body")

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """There is no view yet."""
        return [], []

    def focus_body(self) -> None:
        """Nothing takes the focus."""
        self.set_focus(None)
