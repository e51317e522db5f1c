"""Many lines of text: scrolled, wrapped, searched, filtered, followed as they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fleet_core.contracts.text import printable
from fleet_tui.table.lines import fit_text
from fleet_tui.themes import StyleMap, styles_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.style import Style

    from fleet_tui.table.source import Cell

MAX_LINES: Final = 20_000
"""Older lines are dropped, and counted."""
_TRIM_TO: Final = 18_000
LINE_MAX_CHARS: Final = 16_384
_SIDE_STEP: Final = 10


class TextView(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines, each in one style. They are shown as text, whatever they contain."""

    DEFAULT_CSS = """
    TextView { background: $background; overflow-x: hidden; overflow-y: scroll;
               scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "by(1)", "Down", show=False, id="text.down"),
        Binding("k,up", "by(-1)", "Up", show=False, id="text.up"),
        Binding("g,home", "first", "First", show=False, id="text.first"),
        Binding("G,end", "last", "Last", show=False, id="text.last"),
        Binding("pagedown,space", "page(1)", "Page down", show=False, id="text.page-down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="text.page-up"),
        Binding("left", "sideways(-1)", "Left", show=False, id="text.left"),
        Binding("right", "sideways(1)", "Right", show=False, id="text.right"),
        Binding("n", "found(1)", "Next match", show=False, id="text.next-match"),
        Binding("N", "found(-1)", "Match before", show=False, id="text.match-before"),
        Binding("w", "wrap", "Wrap", id="text.wrap"),
    ]

    def __init__(self, *, id: str | None = None, wrap: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self.wrap = wrap
        self.follow = False
        """Whether the end stays in sight while lines are added."""
        self.dropped = 0
        """Lines that were let go because there were too many."""
        self.search = ""
        """What is highlighted; lower case."""
        self.only = ""
        """Only lines that hold this are shown; lower case."""
        self.paint_row: Callable[[Cell], Sequence[Cell]] = lambda row: (row,)
        """Gives the parts of a row styles of their own; the text must stay the same."""
        self._lines: list[Cell] = []
        self._rows: list[Cell] = []
        self._side = 0
        self._wrapped_at = 0
        self._match: int | None = None

    @property
    def lines(self) -> list[Cell]:
        """All lines, whether or not they are shown."""
        return self._lines

    @property
    def shown_rows(self) -> int:
        """How many rows are shown; a wrapped line has several."""
        return len(self._rows)

    def set_lines(self, lines: Iterable[Cell]) -> None:
        """Show these lines in place of others; the place scrolled to stays."""
        self._lines = [_inert(line) for line in lines]
        self._lay_out()

    def add(self, lines: Iterable[Cell]) -> None:
        """Add lines at the end."""
        fresh = [_inert(line) for line in lines]
        self._lines += fresh
        if len(self._lines) > MAX_LINES:
            excess = len(self._lines) - _TRIM_TO
            self.dropped += excess
            del self._lines[:excess]
            self._lay_out()
            return
        self._rows += self._rows_of(fresh)
        self._resized()

    @property
    def matches(self) -> int:
        """How many rows hold what is searched."""
        return sum(self.search in text.lower() for text, _ in self._rows) if self.search else 0

    def replace_from(self, first: int, lines: Iterable[Cell]) -> None:
        """Put lines in the place of those from ``first`` on; what stands before is left alone."""
        gone = len(self._rows_of(self._lines[first:]))
        if gone:
            del self._lines[first:]
            del self._rows[-gone:]
        self.add(lines)

    def show_only(self, text: str) -> None:
        """Show only the lines that hold a text; empty shows all."""
        self.only = text.lower()
        self._lay_out()

    def highlight(self, text: str) -> int:
        """Highlight a text and go to the first place from here; return how many rows hold it."""
        self.search = text.lower()
        self._match = None
        self.refresh()
        count = self.matches
        if count:
            self.action_found(1)
        return count

    # What is seen

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        styles = styles_for(self.app.theme)
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        if not 0 <= at < len(self._rows):
            return Strip([Segment(" " * width, styles["text"])], width)
        segments = self._segments(self._rows[at], styles, current=at == self._match)
        side = 0 if self.wrap else self._side
        strip = Strip(segments).crop(side, side + width)
        return strip.extend_cell_length(width, styles["text"])

    def on_mount(self) -> None:
        """Repaint when the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())
        self._lay_out()

    def on_resize(self) -> None:
        """Wrap anew."""
        if self.wrap and self._wrapped_at != self.scrollable_content_region.width:
            self._lay_out()
        else:
            self._resized()

    # Keys

    def action_by(self, rows: int) -> None:
        """Scroll by some rows."""
        self._go(self.scroll_offset.y + rows)

    def action_page(self, pages: int) -> None:
        """Scroll by some pages, less a row."""
        self.action_by(pages * max(self.size.height - 1, 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last row, and stay there while lines are added."""
        self._go(len(self._rows))

    def action_sideways(self, steps: int) -> None:
        """Scroll sideways, where lines are not wrapped."""
        self._side = max(0, self._side + steps * _SIDE_STEP)
        self.refresh()

    def action_wrap(self) -> None:
        """Wrap lines, or let them run out of sight."""
        self.wrap = not self.wrap
        self._side = 0
        self._lay_out()

    def action_found(self, step: int) -> None:
        """Go to the next match, or the one before; after the last comes the first."""
        if not self.search:
            return
        start = self._match if self._match is not None else self.scroll_offset.y - step
        count = len(self._rows)
        for distance in range(1, count + 1):
            at = (start + step * distance) % count
            if self.search in self._rows[at][0].lower():
                self._match = at
                self._go(at - self.size.height // 2)
                self.refresh()
                return

    # Rows

    def _go(self, row: int) -> None:
        last = max(0, len(self._rows) - self.size.height)
        place = min(max(row, 0), last)
        self.follow = place == last
        self.scroll_to(y=place, animate=False, force=True)

    def _lay_out(self) -> None:
        self._match = None
        self._rows = self._rows_of(self._lines)
        self._resized()
        self.refresh()

    def _resized(self) -> None:
        size = Size(self.scrollable_content_region.width, len(self._rows))
        if size != self.virtual_size:
            self.virtual_size = size
        if self.follow:
            self.scroll_to(y=max(0, len(self._rows) - self.size.height), animate=False, force=True)
        self.refresh()

    def _rows_of(self, lines: Iterable[Cell]) -> list[Cell]:
        width = self._wrapped_at = self.scrollable_content_region.width
        rows: list[Cell] = []
        for text, style in lines:
            if self.only and self.only not in text.lower():
                continue
            if self.wrap and width > 0 and cell_len(text) > width:
                rows += [(part, style) for part in chop_cells(text, width)]
            else:
                rows.append((text, style))
        return rows

    def _segments(self, row: Cell, styles: StyleMap, *, current: bool) -> list[Segment]:
        cells = self.paint_row(row)
        if not self.search:
            return [Segment(text, styles[style]) for text, style in cells]
        mark = styles["title"] if current else styles["accent"]
        mark = mark.chain(mark.__class__(reverse=True))
        spans = list(_spans(row[0].lower(), self.search))
        return list(_marked(cells, spans, styles, mark))


def _spans(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Return where the wanted text stands."""
    at = text.find(wanted)
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))


def _marked(
    cells: Sequence[Cell], spans: Sequence[tuple[int, int]], styles: StyleMap, mark: Style
) -> Iterator[Segment]:
    """Return cells as segments, with the spans in the style ``mark``."""
    offset = 0
    for text, style in cells:
        done = 0
        for start, end in spans:
            start_here, end_here = max(start - offset, done), min(end - offset, len(text))
            if start_here < end_here:
                yield Segment(text[done:start_here], styles[style])
                yield Segment(text[start_here:end_here], mark)
                done = end_here
        yield Segment(text[done:], styles[style])
        offset += len(text)


def _inert(line: Cell) -> Cell:
    text, style = line
    text = printable(text.expandtabs(4), LINE_MAX_CHARS)
    # Stacked combining characters are bounded, as in the tables.
    return (fit_text(text, cell_len(text)).rstrip() if not text.isascii() else text), style
