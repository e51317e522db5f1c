"""A line of a table as segments: cells cut to their widths, equal neighbours merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

from fleet_core.contracts.text import printable

if TYPE_CHECKING:
    from rich.style import Style

    from fleet_tui.table.source import Align

ELLIPSIS = "…"
_VARIATION_SELECTORS = {0xFE0E: None, 0xFE0F: None}
"""Terminals disagree on the width of what they select, which would shift the rest of the line."""
_CHARS_PER_CELL_MAX = 4
"""Bounds combining characters, which take no room but can be stacked without end."""


def fit_text(text: str, width: int, align: Align = "left") -> str:
    """Return the text on exactly ``width`` cells, inert in a terminal, an ellipsis where cut."""
    if width <= 0:
        return ""
    if text.isascii() and text.isprintable():
        length = len(text)
        if length > width:
            return text[: width - 1] + ELLIPSIS
    else:
        text = printable(text, width * _CHARS_PER_CELL_MAX).translate(_VARIATION_SELECTORS)
        length = cell_len(text)
        if length > width:
            return set_cell_size(text, width - 1) + ELLIPSIS
    padding = " " * (width - length)
    return padding + text if align == "right" else text + padding


class LineBuilder:
    """Collects the texts of a line; neighbours of one style become one segment.

    Blanks look alike in all styles of a line (none of them underlines a part of it), so they join
    whatever stands beside them. Fewer segments are fewer bytes, which is what counts over SSH.
    """

    __slots__ = ("_run", "_segments", "_style", "width")

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._run: list[str] = []
        self._style: Style | None = None
        """Of the run, as soon as it is more than blanks."""
        self.width = 0
        """Cells so far."""

    def add(self, text: str, style: Style, width: int) -> None:
        """Append a text of ``width`` cells."""
        self.width += width
        if style is not self._style and not text.isspace():
            if self._style is not None:
                self._close_run(self._style)
            self._style = style
        self._run.append(text)

    def segments(self, blank: Style) -> list[Segment]:
        """Return the line; ``blank`` is its style where it is nothing but blanks."""
        if self._run:
            self._close_run(self._style or blank)
        return self._segments

    def _close_run(self, style: Style) -> None:
        self._segments.append(Segment("".join(self._run), style))
        self._run.clear()
