"""Where the cursor stands: on a key, which it follows through every change of order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_tui.table.source import TableSource


class Cursor:
    """A key and the place where it was last seen.

    Until somebody moves it, the cursor is no choice of anybody's: it stays on the first line while
    rows stream in. From then on it holds on to its key, and takes the place of a key that vanished.
    """

    def __init__(self) -> None:
        self.key: str | None = None
        self.position = 0
        self.chosen = False

    def follow(self, source: TableSource) -> None:
        """Find the key again after the rows changed.

        While there are no rows at all, as during a resync, the key is kept for when they return.
        """
        rows = source.rows
        if not rows:
            return
        if not self.chosen:
            self.position = 0
            self.key = source.key(rows[0])
            return
        row = None if self.key is None else source.row(self.key)
        if row is not None:
            if self.position < len(rows) and rows[self.position] == row:
                return
            try:
                self.position = rows.index(row)
            except ValueError:
                pass
            else:
                return
        self.move_to(source, self.position)

    def move_to(self, source: TableSource, position: int) -> None:
        """Stand on the row at a position, or on the nearest there is; there must be rows."""
        rows = source.rows
        self.position = min(max(position, 0), len(rows) - 1)
        self.key = source.key(rows[self.position])
