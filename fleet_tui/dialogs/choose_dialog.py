"""A short list to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from fleet_core.contracts.text import printable
from fleet_tui.themes import styles_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class ChooseDialog(ModalScreen[str | None]):
    """Returns the name that was chosen, or None."""

    DEFAULT_CSS = """
    ChooseDialog { align: center middle; }
    ChooseDialog > Vertical {
        width: 60; max-width: 90%; height: auto; max-height: 80%;
        border: round $accent; background: $surface; padding: 0 1;
    }
    ChooseDialog OptionList:focus { border: none; }
    ChooseDialog OptionList { height: auto; max-height: 20; border: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="choose.cancel"),
        Binding("j", "step(1)", "Down", show=False, id="choose.down"),
        Binding("k", "step(-1)", "Up", show=False, id="choose.up"),
    ]

    def __init__(self, question: str, offers: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question = question
        self._offers = tuple(offers)

    def compose(self) -> ComposeResult:
        """Lay out the question and the list."""
        styles = styles_for(self.app.theme)
        options = []
        for name, note in self._offers:
            text = Text(printable(name, 100))
            text.append(f"  {printable(note, 100)}", styles["dim"])
            options.append(Option(text))
        with Vertical():
            yield Static(Text(printable(self._question, 200)))
            yield OptionList(*options)

    def on_mount(self) -> None:
        """Give the list the focus."""
        # At once, not by a message: the next key may be in the queue already.
        self.set_focus(self.query_one(OptionList))

    def action_step(self, step: int) -> None:
        """Move the cursor, by the keys of the tables."""
        offers = self.query_one(OptionList)
        if step > 0:
            offers.action_cursor_down()
        else:
            offers.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._offers[event.option_index][0])
