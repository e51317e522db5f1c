"""The base of the views that are one table: cursor, marks, filter and sort."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from textual import on
from textual.binding import Binding, BindingType

from fleet_core.errors import InvalidInputError
from fleet_core.view import parse_filter
from fleet_tui.locations import Location
from fleet_tui.screens.fleet_screen import FleetScreen
from fleet_tui.table import VirtualTable
from fleet_tui.themes import Glyphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_tui.sources.live_source import LiveSource
    from fleet_tui.table.source import Cell


class TableScreen(FleetScreen):
    """A view that is one table over a `LiveSource`; a subclass makes the source."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "toggle_faults", "Faults only", id="table.faults"),
        Binding("S", "next_sort", "Sort", id="table.sort"),
    ]

    takes_filter = True
    body_widgets = (VirtualTable,)
    noun: ClassVar[str] = "rows"

    def __init__(self, *, filter_text: str = "") -> None:
        super().__init__()
        self.source: LiveSource | None = None
        self._first_filter = filter_text

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view with the filter of a location; raises FilterError for a wrong one."""
        parse_filter(location.filter)
        return cls(filter_text=location.filter)

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        raise TypeError(f"{type(self).__name__} has no source")

    @property
    def table(self) -> VirtualTable:
        """The table."""
        return self.query_one("#body", VirtualTable)

    @property
    def rows(self) -> LiveSource:
        """The source of the table."""
        if self.source is None:
            self.source = self.make_source()
            if self._first_filter:
                self.source.filter = self._first_filter
        return self.source

    @property
    def location(self) -> Location:
        """The view and its filter."""
        return Location(self.view_name, filter=self.filter_text())

    def compose_body(self) -> Iterable[Widget]:
        """Return the table."""
        yield VirtualTable(self.rows, id="body")

    def focus_body(self) -> None:
        """Give the focus to the table."""
        # At once, not by a message: the next key may be in the queue already.
        self.set_focus(self.table)

    def tick(self) -> None:
        """Follow the read model, and paint the lines that differ."""
        self.rows.refresh()
        self.table.stale = self.fleet_app.is_stale
        self.table.tick()
        self.say_title()

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the name, the filter, the counts, the sort and the marks."""
        rows = self.rows
        left: list[Cell] = [(f" {self.view_name}", "title")]
        if rows.filter:
            left += [("  /", "dim"), (rows.filter, "accent")]
        if rows.faults_only:
            left.append(("  faults only", "warning"))
        shown, total = len(rows.rows), rows.total
        counts = f"{shown:,} of {total:,}" if shown != total else f"{total:,} {self.noun}"
        right: list[Cell] = [(f"{counts} ", "text")]
        if rows.sort is not None:
            arrow = Glyphs.DESCENDING if rows.sort.descending else Glyphs.ASCENDING
            right.append((f"  sort {rows.sort.column}{arrow.value} ", "dim"))
        marked = len(self.table.marked_keys)
        if marked:
            hidden = self.table.hidden_mark_count()
            more = f", {hidden:,} hidden" if hidden else ""
            right.append((f"  {Glyphs.MARK.value} {marked:,} marked{more} ", "accent"))
        return left, right

    def filter_text(self) -> str:
        """Return the filter in force."""
        return self.rows.filter

    def apply_filter(self, text: str) -> None:
        """Show only the rows that match."""
        self.rows.set_filter(text)
        self.tick()

    def completions(self, text: str) -> Sequence[str]:
        """Return what a filter being typed could become."""
        return self.rows.completions(text)

    def sort_by(self, column: str, *, descending: bool | None = None) -> None:
        """Sort by a column; without a direction the same column turns round.

        Raises:
            InvalidInputError: there is no such column to sort by.
        """
        if column not in self.rows.sortable:
            choice = ", ".join(self.rows.sortable)
            raise InvalidInputError(
                f"cannot sort by {column[:32]!r}",
                expected=f"one of {choice}",
                remedy=f"one of {choice}",
            )
        self.rows.set_sort(column, descending=descending)
        self.tick()

    def action_next_sort(self) -> None:
        """Sort by the next column."""
        names = list(self.rows.sortable)
        if not names:
            return
        current = self.rows.sort.column if self.rows.sort is not None else names[-1]
        at = names.index(current) if current in names else -1
        self.sort_by(names[(at + 1) % len(names)])

    def action_toggle_faults(self) -> None:
        """Show only what is not well, or everything again."""
        self.rows.faults_only = not self.rows.faults_only
        self.rows.refresh(now=True)
        self.tick()

    def back(self) -> bool:
        """Unmark, else show all, else clear the filter."""
        if self.table.marked_keys:
            self.table.set_marks(())
            return True
        if self.rows.faults_only:
            self.action_toggle_faults()
            return True
        return super().back()

    @on(VirtualTable.MarksChanged)
    def _marks_changed(self) -> None:
        self.say_title()

    @on(VirtualTable.RowOpened)
    def _row_opened(self, event: VirtualTable.RowOpened) -> None:
        event.stop()
        self.open_row(event.key)

    def open_row(self, key: str) -> None:
        """Open what stands under the cursor."""
