"""Draws the lines of a table: the header and one row at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.strip import Strip

from fleet_tui.table.lines import LineBuilder, fit_text
from fleet_tui.table.widths import GAP
from fleet_tui.themes import Glyphs, RowState

if TYPE_CHECKING:
    from fleet_tui.table.source import Column, TableSource
    from fleet_tui.table.widths import ColumnLayout
    from fleet_tui.themes import StyleMap

GUTTER = 3
"""Cells before the first column: the cursor's glyph, the mark's, a space."""


def blank_line(width: int, styles: StyleMap) -> Strip:
    """Return an empty line."""
    return Strip([*_fill(LineBuilder(), width, styles, RowState.NORMAL).segments()], width)


def header_line(source: TableSource, layout: ColumnLayout, width: int, styles: StyleMap) -> Strip:
    """Return the column titles, with the arrow of the sorting and of hidden columns."""
    line = LineBuilder()
    plain = styles.get("dim", RowState.HEADER)
    left = Glyphs.MORE_LEFT if layout.more_left else " "
    line.add(f"  {left}", plain, GUTTER)
    columns = source.columns
    for index, column_width in layout.shown:
        column = columns[index]
        sorted_by = source.sort is not None and source.sort.column == column.key
        style = styles.get("title", RowState.HEADER) if sorted_by else plain
        title = _title(source, column) if sorted_by else column.title
        line.add(fit_text(title, column_width, column.align), style, column_width)
        line.add(" " * GAP, plain, GAP)
    if layout.more_right:
        return _cut(line, width - 1, Glyphs.MORE_RIGHT, styles)
    return Strip(_fill(line, width, styles, RowState.HEADER).segments(), line.width).crop(0, width)


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
    gap = " " * GAP
    for index, column_width in layout.shown:
        text, style_name = cells[index]
        style = accent if marked and index == 0 else styles.get(style_name, state)
        line.add(fit_text(text, column_width, columns[index].align), style, column_width)
        line.add(gap, style, GAP)
    _fill(line, width, styles, state)
    return Strip(line.segments(), line.width).crop(0, width)


def _title(source: TableSource, column: Column) -> str:
    descending = source.sort is not None and source.sort.descending
    return f"{column.title}{Glyphs.DESCENDING if descending else Glyphs.ASCENDING}"


def _fill(line: LineBuilder, width: int, styles: StyleMap, state: RowState) -> LineBuilder:
    missing = width - line.width
    if missing > 0:
        line.add(" " * missing, styles.get("text", state), missing)
    return line


def _cut(line: LineBuilder, width: int, end: str, styles: StyleMap) -> Strip:
    cut = Strip(line.segments(), line.width).crop(0, width)
    tail = LineBuilder()
    tail.add(end, styles.get("accent", RowState.HEADER), 1)
    return Strip.join([cut, Strip(tail.segments(), 1)])
