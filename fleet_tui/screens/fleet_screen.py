"""The base of every view: header, title, body, prompt, hints, and where it is in the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self, cast

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from fleet_tui.locations import Location
from fleet_tui.themes import RowState
from fleet_tui.widgets.cell_line import CellLine
from fleet_tui.widgets.prompt import COMMAND, FILTER, SHELL, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from fleet_core.view import FleetView
    from fleet_tui.app import FleetApp
    from fleet_tui.table.source import Cell


class FleetScreen(Screen[None], inherit_bindings=False):
    """A view of the fleet.

    A subclass gives `compose_body`, `location` and `title_cells`, and `tick`s what it shows. The
    app calls `tick` four times a second on the screen that is seen, and whenever it comes to light.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, as `:` in the app, so that it acts before the next key is handed out.
        Binding(
            "slash",
            "prompt_filter",
            "Filter",
            key_display="/",
            id="screen.filter",
            priority=True,
        ),
    ]

    view_name: ClassVar[str] = ""
    """What is typed after the colon to get here."""
    takes_filter: ClassVar[bool] = False
    body_widgets: ClassVar[tuple[type[Widget], ...]] = ()
    """What in the body takes the focus, and keys with it."""
    _filter_before = ""
    _take_line: Callable[[str], None] | None = None
    """What is done with the shell line that is asked for."""

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view of a location; raises InvalidInputError where it makes none."""
        del location
        return cls()

    def check(self, app: FleetApp) -> None:
        """Raise FleetError where the app has nothing for this view to show; before it is opened."""

    @property
    def fleet_app(self) -> FleetApp:
        """The app."""
        return cast("FleetApp", self.app)

    @property
    def view(self) -> FleetView:
        """The read model; empty before the fleet is open."""
        return self.fleet_app.view

    @property
    def location(self) -> Location:
        """Where this is, as it can be typed."""
        return Location(self.view_name)

    @property
    def prompt(self) -> Prompt:
        """The line where commands and filters are typed."""
        return self.query_one(Prompt)

    def compose(self) -> ComposeResult:
        """Lay out the lines that all views share around the body."""
        yield CellLine(id="header")
        yield CellLine(id="title", row=RowState.NORMAL)
        yield from self.compose_body()
        yield Prompt(self.fleet_app.histories)
        yield CellLine(id="hints")

    def compose_body(self) -> Iterable[Widget]:
        """Return what stands between the title and the prompt."""
        raise TypeError(f"{type(self).__name__} has no body")

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the left and the right side of the title."""
        return [(f" {self.view_name}", "title")], []

    def tick(self) -> None:
        """Look at the read model again, and paint what changed."""
        self.say_title()

    def say_title(self) -> None:
        """Paint the title, if it changed."""
        self.query_one("#title", CellLine).say(*self.title_cells())

    def on_mount(self) -> None:
        """Show everything at once, not at the next tick."""
        self.fleet_app.paint(self)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another view was seen."""
        if self.is_mounted:
            self.fleet_app.paint(self)

    def focus_body(self) -> None:
        """Give the focus back to the body, after the prompt."""
        self.focus_next("#body")

    # What is typed

    def completions(self, text: str) -> Sequence[str]:
        """Return what a filter being typed could become."""
        del text
        return ()

    def filter_text(self) -> str:
        """Return the filter in force."""
        return ""

    def apply_filter(self, text: str) -> None:
        """Show only what matches.

        Raises:
            FilterError: it is no filter.
        """
        raise TypeError(f"{type(self).__name__} takes no filter: {text}")

    def action_prompt_filter(self) -> None:
        """Type a filter."""
        if self.takes_filter:
            self._filter_before = self.filter_text()
            self.prompt.open(FILTER, self.filter_text(), self.completions)
        else:
            self.fleet_app.say("this view takes no filter", "warning")

    def ask_shell_line(self, where: str, take: Callable[[str], None]) -> None:
        """Have a shell line typed, and hand it to ``take``; ``where`` tells where it will run."""
        self._take_line = take
        note = (f"  {where}; enter runs it there, esc leaves", "dim")
        self.prompt.open(SHELL, "", lambda _text: (), note=[note])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a filter only where there is one, and nobody types."""
        if action == "prompt_filter" and (not self.takes_filter or self.fleet_app.is_typing):
            return False
        return super().check_action(action, parameters)

    @on(Prompt.Changed)
    def _typed(self, event: Prompt.Changed) -> None:
        event.stop()
        if type(event) is not Prompt.Changed or event.mode != FILTER:
            return
        self.fleet_app.try_filter(self, event.text)

    @on(Prompt.Submitted)
    def _submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
        if event.mode == FILTER and not self.fleet_app.try_filter(self, event.text):
            self.prompt.hand_on()
            return
        self._close_prompt()
        if event.mode == COMMAND:
            self.fleet_app.run_line(event.text)
        elif event.mode == SHELL and self._take_line is not None and event.text.strip():
            self._take_line(event.text)
        self.prompt.hand_on(self.app.focused)

    @on(Prompt.Left)
    def _left(self, event: Prompt.Left) -> None:
        event.stop()
        self.leave_prompt()

    def leave_prompt(self) -> None:
        """Close the prompt; the filter that was in force before it is in force again."""
        if self.prompt.mode == FILTER and self.filter_text() != self._filter_before:
            self.fleet_app.try_filter(self, self._filter_before)
        self._close_prompt()
        self.prompt.hand_on(self.app.focused)

    def _close_prompt(self) -> None:
        self.prompt.close()
        self.focus_body()

    def on_descendant_focus(self) -> None:
        """Show the keys that are in force now."""
        self.fleet_app.paint(self)

    def back(self) -> bool:
        """Undo one thing that narrows the view; return whether there was one."""
        if self.filter_text():
            self.apply_filter("")
            return True
        return False
