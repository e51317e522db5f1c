"""How wide the columns are, and which of them stand on the screen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_tui.table.source import Column

GAP = 1
"""Cells between two columns."""


def fit_columns(columns: Sequence[Column], width: int) -> list[int]:
    """Return a width for each column, for a line of ``width`` cells.

    Every column gets its minimum; what is left over is shared among the flexible ones by weight,
    up to their maxima. Where the minima do not fit, the table scrolls sideways.
    """
    widths = [column.min_width for column in columns]
    spare = width - sum(widths) - GAP * max(len(columns) - 1, 0)
    growing = [index for index, column in enumerate(columns) if column.flex > 0]
    while spare > 0 and growing:
        shares = sum(columns[index].flex for index in growing)
        grown = 0
        for index in growing:
            room = columns[index].max_width - widths[index]
            share = min(room, max(1, spare * columns[index].flex // shares), spare - grown)
            widths[index] += share
            grown += share
        spare -= grown
        growing = [index for index in growing if widths[index] < columns[index].max_width]
        if grown == 0:
            break
    return widths


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns on the screen: the first one, then those from the scroll position on."""

    shown: tuple[tuple[int, int], ...]
    """Index and width in cells of each column shown, from the left; the last may be cut off."""
    max_offset: int
    """The furthest that it makes sense to scroll, in columns."""
    more_left: bool
    more_right: bool


def lay_out(columns: Sequence[Column], width: int, offset: int) -> ColumnLayout:
    """Lay out the columns on ``width`` cells, with ``offset`` columns after the first hidden."""
    if not columns:
        return ColumnLayout((), 0, more_left=False, more_right=False)
    widths = fit_columns(columns, width)
    room = width - widths[0] - GAP
    max_offset = _smallest_offset_showing_the_end(widths[1:], room)
    offset = min(max(offset, 0), max_offset)
    shown = [(0, min(widths[0], max(width, 0)))]
    index = 1 + offset
    while index < len(widths) and room > 0:
        shown.append((index, min(widths[index], room)))
        room -= widths[index] + GAP
        index += 1
    cut = index < len(widths) or room < -GAP
    return ColumnLayout(tuple(shown), max_offset, more_left=offset > 0, more_right=cut)


def _smallest_offset_showing_the_end(widths: Sequence[int], room: int) -> int:
    used = 0
    offset = len(widths)
    while offset > 0 and used + widths[offset - 1] <= room:
        used += widths[offset - 1] + GAP
        offset -= 1
    return min(offset, max(len(widths) - 1, 0))
