"""A few lines of text beneath a table: what the row under the cursor has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from fleet_core.contracts.text import printable
from fleet_tui.themes import styles_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

_LINE_MAX_CHARS = 1_000


class TextPane(VerticalScroll, can_focus=False):
    """Hidden while it has nothing to show; the last lines are the ones seen."""

    DEFAULT_CSS = """
    TextPane { height: auto; max-height: 30%; background: $surface; display: none; }
    TextPane.shown { display: block; }
    TextPane Static { height: auto; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- as in Textual
        super().__init__(id=id)
        self._shown: tuple[str, tuple[str, ...]] = ("", ())

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield Static(Text())

    def show(self, title: str, lines: Sequence[str]) -> None:
        """Show a title and lines, as text whatever they contain; nothing hides the pane."""
        if (title, tuple(lines)) == self._shown:
            return
        self._shown = (title, tuple(lines))
        styles = styles_for(self.app.theme)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f" {printable(title, _LINE_MAX_CHARS)}", styles["accent"])
        for line in lines:
            text.append(f"\n   {printable(line, _LINE_MAX_CHARS)}", styles["text"])
        self.set_class(bool(title or lines), "shown")
        self.query_one(Static).update(text)
        self.scroll_end(animate=False)
