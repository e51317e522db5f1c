"""The big table: paints only the lines that are seen, from a source that may hold 100,000 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from fleet_tui.table.cursor import Cursor
from fleet_tui.table.marks import Marks
from fleet_tui.table.painter import GUTTER, blank_line, header_line, row_line
from fleet_tui.table.widths import ColumnLayout, lay_out
from fleet_tui.themes import RowState, StyleMap, styles_for

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from textual import events
    from textual.strip import Strip

    from fleet_tui.table.source import TableSource

HEADER_LINES = 1


class VirtualTable(ScrollView, can_focus=True, inherit_bindings=False):
    """A table over a `TableSource`, with a cursor and marks that are keys, never row numbers.

    The table has no timer and watches nothing: whoever owns it calls `tick` 2 to 10 times a second
    and after each change that must show at once. A tick compares a small fingerprint for each
    visible line and paints the lines that differ; the number of rows does not matter to it.
    """

    DEFAULT_CSS = """
    VirtualTable {
        background: $background;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_by(1)", "Down", show=False, id="table.down"),
        Binding("k,up", "cursor_by(-1)", "Up", show=False, id="table.up"),
        Binding("g,home", "cursor_first", "First", show=False, id="table.first"),
        Binding("G,end", "cursor_last", "Last", show=False, id="table.last"),
        Binding("pagedown", "cursor_page(1)", "Page down", show=False, id="table.page-down"),
        Binding("pageup", "cursor_page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("h,left", "columns_by(-1)", "Columns left", show=False, id="table.left"),
        Binding("l,right", "columns_by(1)", "Columns right", show=False, id="table.right"),
        Binding("space", "mark", "Mark", id="table.mark"),
        Binding("V", "mark_range", "Mark range", show=False, id="table.mark-range"),
        Binding("u", "clear_marks", "Unmark all", show=False, id="table.clear-marks"),
        Binding("enter", "open", "Open", id="table.open"),
    ]

    stale = reactive(default=False)
    """Whether the data may be old: the lines are dimmed."""

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

    def __init__(
        self,
        source: TableSource,
        *,
        id: str | None = None,  # noqa: A002 -- every Textual widget calls it so
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._source = source
        self._seen_version: int | None = None
        self._cursor = Cursor()
        self._announced_key: str | None = None
        self._marks = Marks()
        self._column_offset = 0
        self._layout_of: tuple[object, ...] = ()
        self._layout = ColumnLayout((), 0, more_left=False, more_right=False)
        self._painted: dict[int, Hashable] = {}

    # -- what the owner uses ---------------------------------------------------------------------

    @property
    def source(self) -> TableSource:
        """What the table draws from; assign another one to show that instead."""
        return self._source

    @source.setter
    def source(self, source: TableSource) -> None:
        self._source = source
        self._seen_version = None
        self._layout_of = ()
        self.tick()
        self.refresh()

    @property
    def cursor_key(self) -> str | None:
        """The key under the cursor; None when there are no rows."""
        return self._cursor.key if self._source.rows else None

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

    def set_cursor(self, key: str) -> None:
        """Put the cursor on a key, now or as soon as it is among the rows once."""
        self._cursor.key = key
        self._cursor.chosen = True
        self._cursor.follow(self._source)
        self._scroll_to_cursor()
        self.tick()

    def set_marks(self, keys: Iterable[str]) -> None:
        """Make these keys the marked ones."""
        if self._marks.replace(keys):
            self._marks_changed()

    def tick(self) -> None:
        """Look at the source again: follow the cursor's key, paint the lines that differ."""
        if not self.is_mounted:
            return
        self._follow_source()
        dirty = [
            Region(0, y, self._line_width, 1)
            for y in range(HEADER_LINES, self.size.height)
            if self._painted.get(y) != self._line_key(y)
        ]
        if dirty:
            self.refresh(*dirty)
        self._announce_cursor()

    # -- keys ------------------------------------------------------------------------------------

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

    # -- painting --------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: the header, a row, or nothing below the last row."""
        width = self._line_width
        if y < HEADER_LINES:
            return header_line(self._source, self._columns, width, self._styles)
        self._painted[y] = self._line_key(y)
        row = self._row_at(y)
        if row is None:
            return blank_line(width, self._styles)
        key = self._source.key(row)
        state = RowState.NORMAL
        if key == self._cursor.key:
            state = RowState.CURSOR if self.has_focus else RowState.BLURRED_CURSOR
        return row_line(
            self._source,
            row,
            self._columns,
            width,
            self._styles,
            state=state,
            marked=key in self._marks.keys,
        )

    def watch_stale(self) -> None:
        """Dim the lines, or light them up again."""
        self.refresh()

    def on_mount(self) -> None:
        """Show what there is, and repaint when the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())
        self.tick()

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._scroll_to_cursor()
        self.tick()

    def on_focus(self) -> None:
        """Light up the cursor."""
        self.tick()

    def on_blur(self) -> None:
        """Dim the cursor."""
        self.tick()

    @property
    def _styles(self) -> StyleMap:
        return styles_for(self.app.theme, stale=self.stale)

    @property
    def _line_width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _page_lines(self) -> int:
        return max(self.size.height - HEADER_LINES, 1)

    @property
    def _columns(self) -> ColumnLayout:
        wanted = (self._seen_version, self._line_width, self._column_offset)
        if wanted != self._layout_of:
            room = self._line_width - GUTTER
            self._layout = lay_out(self._source.columns, room, self._column_offset)
            self._column_offset = min(self._column_offset, self._layout.max_offset)
            self._layout_of = (self._seen_version, self._line_width, self._column_offset)
        return self._layout

    def _row_at(self, y: int) -> int | None:
        position = self.scroll_offset.y + y - HEADER_LINES
        rows = self._source.rows
        return rows[position] if 0 <= position < len(rows) else None

    def _line_key(self, y: int) -> Hashable:
        row = self._row_at(y)
        if row is None:
            return None
        key = self._source.key(row)
        cursor = key == self._cursor.key and (2 if self.has_focus else 1)
        return (key, self._source.fingerprint(row), cursor, key in self._marks.keys)

    # -- following -------------------------------------------------------------------------------

    def _follow_source(self) -> None:
        version = self._source.version
        if version == self._seen_version:
            return
        self._seen_version = version
        before = self._cursor.position
        top = self.scroll_offset.y
        self._cursor.follow(self._source)
        size = Size(self._line_width, len(self._source.rows) + HEADER_LINES)
        if size != self.virtual_size:
            self.virtual_size = size
        in_sight = top <= before < top + self._page_lines
        if in_sight and self._cursor.position != before:
            # The row that is looked at stays where it is on the screen; the others move around it.
            self._scroll_to_line(self._cursor.position - (before - top))
        self.refresh(Region(0, 0, self._line_width, HEADER_LINES))

    def _choose_cursor(self) -> str | None:
        self._follow_source()
        self._cursor.chosen = True
        return self.cursor_key

    def _move_to(self, position: int) -> None:
        if not self._source.rows:
            return
        self._cursor.chosen = True
        self._cursor.move_to(self._source, position)
        self._scroll_to_cursor()
        self.tick()

    def _scroll_to_cursor(self) -> None:
        top = self.scroll_offset.y
        position = self._cursor.position
        if position < top:
            self._scroll_to_line(position)
        elif position >= top + self._page_lines:
            self._scroll_to_line(position - self._page_lines + 1)

    def _scroll_to_line(self, top: int) -> None:
        self.scroll_to(y=top, animate=False, force=True)

    def _announce_cursor(self) -> None:
        if self._announced_key != self.cursor_key:
            self._announced_key = self.cursor_key
            self.post_message(self.CursorMoved(self, self.cursor_key))

    def _marks_changed(self) -> None:
        self.post_message(self.MarksChanged(self, len(self._marks.keys)))
        self.tick()
