"""The palette: anything by a part of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from fleet_core.contracts.text import printable
from fleet_tui.commands import COMMANDS
from fleet_tui.themes import styles_for
from fleet_tui.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult

    from fleet_core.view import FleetView

MAX_OFFERS: Final = 30


class Palette(ModalScreen[str | None]):
    """Returns the line to run; one that ends with a blank is to be completed by hand."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical {
        width: 80; max-width: 90%; height: auto; max-height: 80%; margin-top: 3;
        border: round $accent; background: $surface; padding: 0 1;
    }
    Palette Input { border: none; height: 1; background: $panel; padding: 0 1; }
    Palette Input:focus { border: none; }
    Palette OptionList { height: auto; max-height: 20; border: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="palette.cancel"),
        Binding("down", "step(1)", "Down", show=False, id="palette.down", priority=True),
        Binding("up", "step(-1)", "Up", show=False, id="palette.up", priority=True),
    ]

    def __init__(self, view: FleetView) -> None:
        super().__init__()
        self._view = view
        self._lines: list[str] = []

    def compose(self) -> ComposeResult:
        """Lay out the input and what it finds."""
        with Vertical():
            field = Input(placeholder="view, command, deployment or device", id="palette-input")
            field.cursor_blink = False
            yield field
            offers = OptionList(id="palette-offers")
            offers.can_focus = False
            yield offers

    def on_mount(self) -> None:
        """Offer the views and commands at first."""
        self.query_one(Input).focus()
        self._offer("")

    def find(self, text: str) -> Iterator[tuple[str, str]]:
        """Return (line to run, what it is) of whatever holds the text; at most `MAX_OFFERS`."""
        wanted = text.lower().strip()
        for kind in VIEWS:
            if wanted in kind.name or wanted in kind.help.lower():
                yield (f"{kind.name} " if kind.argument else kind.name, kind.help)
        for command in COMMANDS:
            if wanted in command.name or wanted in command.help.lower():
                bare = command.usage == command.name
                yield (command.name if bare else f"{command.name} ", command.help)
        for namespace, name in self._view.deployments:
            if wanted in name:
                yield (f"devices-of {name}", f"devices of {namespace}/{name}")
        if wanted:
            # A plain scan of 100,000 names takes 3 ms; scoring each of them took 450.
            yield from (
                (f"device {d}", "device") for d in self._view.devices.slot_of if wanted in d
            )

    def action_step(self, step: int) -> None:
        """Move the cursor."""
        offers = self.query_one(OptionList)
        if step > 0:
            offers.action_cursor_down()
        else:
            offers.action_cursor_up()

    def _offer(self, text: str) -> None:
        styles = styles_for(self.app.theme)
        self._lines, options = [], []
        for line, about in self.find(text):
            label = Text(printable(line, 100))
            label.append(f"  {printable(about, 100)}", styles["dim"])
            options.append(Option(label))
            self._lines.append(line)
            if len(self._lines) == MAX_OFFERS:
                break
        offers = self.query_one(OptionList)
        offers.clear_options()
        offers.add_options(options)
        offers.highlighted = 0 if options else None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        chosen = self.query_one(OptionList).highlighted
        self.dismiss(self._lines[chosen] if chosen is not None and self._lines else None)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._lines[event.option_index])
