"""One line of styled cells, some at the left and some at the right: headers, titles, hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from fleet_core.contracts.text import printable
from fleet_tui.table.lines import LineBuilder, fit_text
from fleet_tui.themes import RowState, styles_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_tui.table.source import Cell

_CELL_MAX_CHARS = 500


class CellLine(Widget):
    """A line that is painted again only when what it says has changed.

    Where both sides do not fit, the right one is kept and the left one is cut: give the left what
    may be lost.
    """

    DEFAULT_CSS = """
    CellLine { height: 1; }
    """

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 -- every Textual widget calls it so
        row: RowState = RowState.HEADER,
    ) -> None:
        super().__init__(id=id)
        self._row = row
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()

    def say(self, left: Sequence[Cell], right: Sequence[Cell] = ()) -> None:
        """Show these cells; each is a text and the name of its style."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self.refresh()

    @property
    def text(self) -> str:
        """What the line says, without styles."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def on_mount(self) -> None:
        """Repaint when the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        styles = styles_for(self.app.theme)
        blank = styles.get("text", self._row)
        width = self.size.width
        if y:
            return Strip([Segment(" " * width, blank)], width)
        line = LineBuilder()
        right = [(printable(text, _CELL_MAX_CHARS), style) for text, style in self._right]
        right_width = min(sum(cell_len(text) for text, _ in right), width)
        left_width = width - right_width
        for text, style in self._left:
            room = left_width - line.width
            if room <= 0:
                break
            shown = printable(text, _CELL_MAX_CHARS)
            wide = min(cell_len(shown), room)
            line.add(fit_text(shown, wide), styles.get(style, self._row), wide)
        if line.width < left_width:
            gap = left_width - line.width
            line.add(" " * gap, blank, gap)
        for text, style in right:
            wide = min(cell_len(text), width - line.width)
            if wide > 0:
                line.add(fit_text(text, wide), styles.get(style, self._row), wide)
        return Strip(line.segments(blank), width)
