"""Draws the lines of a table: the header and one row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from fleet_tui.table.lines import LineBuilder, fit_text
from fleet_tui.table.widths import GAP
from fleet_tui.themes import Glyphs, RowState

if TYPE_CHECKING:
    from rich.style import Style

    from fleet_tui.table.source import Column, TableSource
    from fleet_tui.table.widths import ColumnLayout
    from fleet_tui.themes import StyleMap

GUTTER = 3
"""Cells before the first column: the cursor's glyph, the mark's, a space."""
_GAP_TEXT = " " * GAP


def blank_line(width: int, styles: StyleMap) -> Strip:
    """Return an empty line."""
    return _finish(LineBuilder(), width, styles.get("text"))


def header_line(source: TableSource, layout: ColumnLayout, width: int, styles: StyleMap) -> Strip:
    """Return the column titles, with the arrow of the sorting and of hidden columns."""
    line = LineBuilder()
    plain = styles.get("dim", RowState.HEADER)
    line.add(f"  {Glyphs.MORE_LEFT if layout.more_left else ' '}", plain, GUTTER)
    columns = source.columns
    for index, column_width in layout.shown:
        column = columns[index]
        sorted_by = source.sort is not None and source.sort.column == column.key
        style = styles.get("title", RowState.HEADER) if sorted_by else plain
        title = _title(source, column) if sorted_by else column.title
        line.add(fit_text(title, column_width, column.align), style, column_width)
        line.add(_GAP_TEXT, style, GAP)
    if not layout.more_right:
        return _finish(line, width, plain)
    more = Segment(Glyphs.MORE_RIGHT, styles.get("accent", RowState.HEADER))
    return Strip.join([_finish(line, width - 1, plain), Strip([more], 1)])


def row_line(  # noqa: PLR0913 -- one row is drawn from just these, and bundling them costs time
    source: TableSource,
    row: int,
    layout: ColumnLayout,
    width: int,
    styles: StyleMap,
    *,
    state: RowState,
    marked: bool,
) -> Strip:
    """Return the line of one row."""
    line = LineBuilder()
    accent = styles.get("accent", state)
    has_cursor = state is not RowState.NORMAL
    gutter = f"{Glyphs.CURSOR if has_cursor else ' '}{Glyphs.MARK if marked else ' '} "
    line.add(gutter, accent, GUTTER)
    cells = source.cells(row)
    columns = source.columns
    for index, column_width in layout.shown:
        text, style_name = cells[index]
        style = accent if marked and index == 0 else styles.get(style_name, state)
        line.add(fit_text(text, column_width, columns[index].align), style, column_width)
        line.add(_GAP_TEXT, style, GAP)
    return _finish(line, width, styles.get("text", state))


def _title(source: TableSource, column: Column) -> str:
    descending = source.sort is not None and source.sort.descending
    return f"{column.title}{Glyphs.DESCENDING if descending else Glyphs.ASCENDING}"


def _finish(line: LineBuilder, width: int, blank: Style) -> Strip:
    """Return the line on exactly ``width`` cells."""
    missing = width - line.width
    if missing > 0:
        line.add(" " * missing, blank, missing)
    strip = Strip(line.segments(blank), line.width)
    return strip if missing >= 0 else strip.crop(0, width)
