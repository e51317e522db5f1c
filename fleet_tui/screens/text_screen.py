"""The base of the views that are one text: `/` searches it, or filters its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from fleet_tui.screens.fleet_screen import FleetScreen
from fleet_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_tui.table.source import Cell


class TextScreen(FleetScreen):
    """A view that is one text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "prompt_filter", "Search", key_display="/", id="screen.filter"),
    ]

    takes_filter = True
    body_widgets = (TextView,)

    @property
    def text(self) -> TextView:
        """The text."""
        return self.query_one("#body", TextView)

    def compose_body(self) -> Iterable[Widget]:
        """Return the text."""
        yield TextView(id="body")

    def focus_body(self) -> None:
        """Give the focus to the text."""
        # At once, not by a message: the next key may be in the queue already.
        self.set_focus(self.text)

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the name, and what is searched."""
        left, right = super().title_cells()
        if self.text.search:
            left = [*left, ("  /", "dim"), (self.text.search, "accent"), ("  n N", "dim")]
        return left, right

    def filter_text(self) -> str:
        """Return what is searched."""
        return self.text.search

    def apply_filter(self, text: str) -> None:
        """Search the text; what is typed is looked for as it stands."""
        self.text.highlight(text)
        self.say_title()
