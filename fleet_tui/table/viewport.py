"""What is seen of a table: its lines, the cursor that is followed, the place scrolled to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from fleet_tui.table.cursor import Cursor
from fleet_tui.table.marks import Marks
from fleet_tui.table.painter import GUTTER, blank_line, header_line, row_line
from fleet_tui.table.widths import ColumnLayout, lay_out
from fleet_tui.themes import RowState, StyleMap, styles_for

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.strip import Strip

    from fleet_tui.table.source import TableSource

HEADER_LINES = 1


class TableViewport(ScrollView, inherit_bindings=False):
    """Paints the visible lines of a source, and repaints those that a tick finds to differ."""

    DEFAULT_CSS = """
    TableViewport {
        background: $background;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    stale = reactive(default=False)
    """Whether the data may be old: the lines are dimmed."""

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

    def cursor_moved(self, key: str | None) -> None:
        """Tell whoever wants to know that the cursor stands on another key."""

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
        if self._announced_key != self.cursor_key:
            self._announced_key = self.cursor_key
            self.cursor_moved(self.cursor_key)

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
