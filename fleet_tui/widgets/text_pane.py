"""A few lines of text beneath a table: what the row under the cursor has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from fleet_core.contracts.text import printable
from fleet_tui.themes import styles_for
from fleet_tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

_LINE_MAX_CHARS = 1_000


class TextPane(Vertical):
    """A title over lines of which the last ones are seen; hidden while there is nothing to show."""

    DEFAULT_CSS = """
    TextPane { height: auto; max-height: 30%; background: $surface; display: none; }
    TextPane.shown { display: block; }
    TextPane VerticalScroll { height: auto; max-height: 24vh; background: $surface; }
    TextPane Static {
        height: auto; background: $surface; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- as in Textual
        super().__init__(id=id)
        self._shown: tuple[str, tuple[str, ...]] = ("", ())

    def compose(self) -> ComposeResult:
        """Lay out the title and the text."""
        yield CellLine()
        with VerticalScroll(can_focus=False):
            yield Static(Text())

    def show(self, title: str, lines: Sequence[str]) -> None:
        """Show a title and lines, as text whatever they contain; nothing hides the pane."""
        if (title, tuple(lines)) == self._shown:
            return
        self._shown = (title, tuple(lines))
        style = styles_for(self.app.theme)["text"]
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, line in enumerate(lines):
            start = "\n" if number else ""
            text.append(f"{start}   {printable(line, _LINE_MAX_CHARS)}", style)
        self.set_class(bool(title or lines), "shown")
        self.query_one(CellLine).say([(f" {title}", "accent")])
        self.query_one(Static).update(text)
        self.query_one(VerticalScroll).scroll_end(animate=False)
