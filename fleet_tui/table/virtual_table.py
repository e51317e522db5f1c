"""The big table: paints only the lines that are seen, from a source that may hold 100,000 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from fleet_tui.table.viewport import HEADER_LINES, TableViewport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events


class VirtualTable(TableViewport, can_focus=True, inherit_bindings=False):
    """A table over a `TableSource`, with a cursor and marks that are keys, never row numbers.

    The table has no timer and watches nothing: whoever owns it calls `tick` 2 to 10 times a second
    and after each change that must show at once. A tick compares a small fingerprint for each
    visible line and paints the lines that differ; the number of rows does not matter to it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_by(1)", "Down", show=False, id="table.down"),
        Binding("k,up", "cursor_by(-1)", "Up", show=False, id="table.up"),
        Binding("g,home", "cursor_first", "First", show=False, id="table.first"),
        Binding("G,end", "cursor_last", "Last", show=False, id="table.last"),
        Binding("pagedown", "cursor_page(1)", "Page down", show=False, id="table.page-down"),
        Binding("pageup", "cursor_page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("left", "columns_by(-1)", "Columns left", show=False, id="table.left"),
        Binding("right", "columns_by(1)", "Columns right", show=False, id="table.right"),
        Binding("h", "yield_columns_by(-1)", "Columns left", show=False, id="table.h"),
        Binding("l", "yield_columns_by(1)", "Columns right", show=False, id="table.l"),
        Binding("space", "mark", "Mark", id="table.mark"),
        Binding("V", "mark_range", "Mark range", show=False, id="table.mark-range"),
        Binding("u", "clear_marks", "Unmark all", show=False, id="table.clear-marks"),
        Binding("enter", "open", "Open", id="table.open"),
    ]

    class CursorMoved(Message):
        """The cursor stands on another key; ``key`` is None when there are no rows."""

        def __init__(self, table: VirtualTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> VirtualTable:
            """The table, for ``@on(VirtualTable.CursorMoved, "#id")``."""
            return self.table

    class RowOpened(Message):
        """Somebody pressed enter on, or clicked, the row of a key."""

        def __init__(self, table: VirtualTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> VirtualTable:
            """The table, for ``@on(VirtualTable.RowOpened, "#id")``."""
            return self.table

    class MarksChanged(Message):
        """Keys were marked or unmarked; ``count`` of them are marked now."""

        def __init__(self, table: VirtualTable, count: int) -> None:
            super().__init__()
            self.table = table
            self.count = count

        @property
        def control(self) -> VirtualTable:
            """The table, for ``@on(VirtualTable.MarksChanged, "#id")``."""
            return self.table

    @property
    def marked_keys(self) -> frozenset[str]:
        """The marked keys, whether or not the rows shown include them."""
        return frozenset(self._marks.keys)

    def target_keys(self) -> tuple[str, ...]:
        """Return what an action pressed now is meant for: the marked keys, else the cursor's.

        Keys that the store no longer has are left out; the order is that of the keys themselves.
        """
        if self._marks.keys:
            return tuple(sorted(k for k in self._marks.keys if self._source.row(k) is not None))
        return () if self.cursor_key is None else (self.cursor_key,)

    def hidden_mark_count(self) -> int:
        """Return how many marked keys the rows shown leave out, as a filter may; O(rows)."""
        if not self._marks.keys:
            return 0
        shown = set(self._source.rows)
        return sum(self._source.row(key) not in shown for key in self._marks.keys)

    def set_cursor(self, key: str) -> bool:
        """Put the cursor on a key; return whether it is among the rows shown."""
        self._follow_source()
        row = self._source.row(key)
        rows = self._source.rows
        if row is None or row not in rows:
            return False
        self._move_to(rows.index(row))
        return True

    def set_marks(self, keys: Iterable[str]) -> None:
        """Make these keys the marked ones."""
        if self._marks.replace(keys):
            self._marks_changed()

    def cursor_moved(self, key: str | None) -> None:
        """Post `CursorMoved`."""
        self.post_message(self.CursorMoved(self, key))

    def action_cursor_by(self, lines: int) -> None:
        """Move the cursor by some lines."""
        self._follow_source()
        self._move_to(self._cursor.position + lines)

    def action_cursor_page(self, pages: int) -> None:
        """Move the cursor by some pages, less a line."""
        self.action_cursor_by(pages * max(self._page_lines - 1, 1))

    def action_cursor_first(self) -> None:
        """Move the cursor to the first row."""
        self._follow_source()
        self._move_to(0)

    def action_cursor_last(self) -> None:
        """Move the cursor to the last row."""
        self._follow_source()
        self._move_to(len(self._source.rows) - 1)

    def action_columns_by(self, columns: int) -> None:
        """Scroll sideways by some columns; the first one stays."""
        offset = min(max(self._column_offset + columns, 0), self._columns.max_offset)
        if offset != self._column_offset:
            self._column_offset = offset
            self.refresh()

    def action_yield_columns_by(self, columns: int) -> None:
        """Scroll sideways by ``h`` and ``l``, where these mean nothing else."""
        self.action_columns_by(columns)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``h`` and ``l`` to the screen or the app where one of them has its own use for it.

        ``l`` shows logs wherever there are any; the arrow keys scroll everywhere.
        """
        if action != "yield_columns_by":
            return super().check_action(action, parameters)
        return not any(self._is_own_key(key) for key in self._yielding_keys(parameters))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or unmark it."""
        key = self._choose_cursor()
        if key is not None:
            self._marks.toggle(key)
            self._marks_changed()

    def action_mark_range(self) -> None:
        """Mark all rows from the one marked last to the cursor."""
        key = self._choose_cursor()
        if key is None:
            return
        rows = self._source.rows
        anchor = None if self._marks.anchor is None else self._source.row(self._marks.anchor)
        here = self._cursor.position
        there = rows.index(anchor) if anchor is not None and anchor in rows else here
        span = rows[min(here, there) : max(here, there) + 1]
        self._marks.extend(map(self._source.key, span), end=key)
        self._marks_changed()

    def action_clear_marks(self) -> None:
        """Unmark everything."""
        self.set_marks(())

    def action_open(self) -> None:
        """Open the row under the cursor."""
        key = self._choose_cursor()
        if key is not None:
            self.post_message(self.RowOpened(self, key))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; open it on a double click."""
        position = self.scroll_offset.y + event.y - HEADER_LINES
        if event.y < HEADER_LINES or position >= len(self._source.rows):
            return
        self._follow_source()
        self._move_to(position)
        if event.chain > 1:
            self.action_open()

    def _yielding_keys(self, parameters: tuple[object, ...]) -> list[str]:
        action = f"yield_columns_by({parameters[0]})"
        return [key for key, binding in self._bindings if binding.action == action]

    def _is_own_key(self, key: str) -> bool:
        nodes = (self.screen, self.app)
        return any(key in node._bindings.key_to_bindings for node in nodes)  # noqa: SLF001 -- Textual offers only active_bindings, which asks check_action again

    def _choose_cursor(self) -> str | None:
        self._follow_source()
        self._cursor.chosen = True
        return self.cursor_key

    def _marks_changed(self) -> None:
        self.post_message(self.MarksChanged(self, len(self._marks.keys)))
        self.tick()
