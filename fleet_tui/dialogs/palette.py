"""The palette: anything by a part of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from fleet_core.contracts.text import printable
from fleet_tui.commands import COMMANDS
from fleet_tui.sources.palette_offers import MAX_OFFERS, Offer, OfferIndex
from fleet_tui.themes import styles_for
from fleet_tui.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult

    from fleet_core.view import FleetView
    from fleet_tui.app import FleetApp

_NOT_OFFERED: Final = frozenset({"app.palette", "app.back", "app.leave"})
"""Bindings that mean nothing in the palette, or are there to leave it."""


class Palette(ModalScreen[Offer | None]):
    """Returns what was chosen, or None."""

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

    def __init__(self, index: OfferIndex) -> None:
        super().__init__()
        self._index = index
        self.offers: list[Offer] = []
        """What is offered now."""

    def compose(self) -> ComposeResult:
        """Lay out the input and what it finds."""
        with Vertical():
            field = Input(placeholder="action, view, command, deployment or device")
            field.cursor_blink = False
            yield field
            offers = OptionList()
            offers.can_focus = False
            yield offers

    def on_mount(self) -> None:
        """Offer everything but the devices at first."""
        self.query_one(Input).focus()
        self._offer("")

    def action_step(self, step: int) -> None:
        """Move the cursor."""
        offers = self.query_one(OptionList)
        if step > 0:
            offers.action_cursor_down()
        else:
            offers.action_cursor_up()

    def _offer(self, text: str) -> None:
        styles = styles_for(self.app.theme)
        self.offers = self._index.find(text)
        options = []
        for offer in self.offers:
            label = Text(printable(offer.text, 100), no_wrap=True, overflow="ellipsis")
            label.append(f"  {printable(offer.about, 100)}", styles["dim"])
            if offer.key:
                label.append(f"  {offer.key}", styles["accent"])
            options.append(Option(label))
        if len(self.offers) == MAX_OFFERS:
            options.append(Option(Text("… type on for more", styles["dim"]), disabled=True))
        elif not options:
            options.append(Option(Text("nothing is called so", styles["dim"]), disabled=True))
        listed = self.query_one(OptionList)
        listed.clear_options()
        listed.add_options(options)
        listed.highlighted = 0 if self.offers else None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        chosen = self.query_one(OptionList).highlighted
        if chosen is not None and chosen < len(self.offers):
            self.dismiss(self.offers[chosen])

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.offers[event.option_index])


def palette_of(app: FleetApp) -> Palette:
    """Return the palette of what is seen now."""
    offers = (*_actions(app, app.screen), *_typed_lines(), *_deployments(app.view))
    return Palette(OfferIndex(offers, app.view.devices.slot_of))


def _actions(app: FleetApp, screen: Screen[object]) -> Iterator[Offer]:
    """Return what the keys of the view do, nearest first; moving about is left to the keys."""
    name = getattr(screen, "view_name", "") or "view"
    for active in screen.active_bindings.values():
        binding = active.binding
        seen = isinstance(active.node, App | Screen) and active.enabled and binding.description
        if seen and binding.id not in _NOT_OFFERED:
            where = "everywhere" if isinstance(active.node, App) else f"in {name}"
            key = app.get_key_display(binding)
            yield Offer(binding.description, where, bound=active, key=key)


def _typed_lines() -> Iterator[Offer]:
    for kind in VIEWS:
        yield Offer(kind.name, kind.help, line=f"{kind.name} " if kind.argument else kind.name)
    for command in COMMANDS:
        bare = command.usage == command.name
        line = command.name if bare else f"{command.name} "
        yield Offer(command.name, command.help, line=line)


def _deployments(view: FleetView) -> Iterator[Offer]:
    for namespace, name in view.deployments:
        yield Offer(name, f"deployment in {namespace}: its devices", line=f"devices-of {name}")
        where = f"deployment in {namespace}: its YAML"
        yield Offer(f"{name} yaml", where, line=f"yaml deployment {namespace}/{name}")
