"""The line at the bottom where commands, filters and shell lines are typed; notes beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label

from fleet_core.contracts.text import printable
from fleet_tui.widgets.cell_line import CellLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

    from fleet_tui.history import History
    from fleet_tui.table.source import Cell

COMMAND = ":"
FILTER = "/"
SHELL = "$"
_SHOWN_COMPLETIONS = 12


class PromptInput(Input, inherit_bindings=True):
    """The input itself: tab completes, up and down walk through what was typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", "Complete", id="prompt.complete"),
        Binding("shift+tab", "complete(-1)", "Complete back", show=False, id="prompt.back"),
        Binding("up", "recall(-1)", "Earlier", id="prompt.earlier"),
        Binding("down", "recall(1)", "Later", id="prompt.later"),
        Binding("escape", "leave", "Leave", id="prompt.leave"),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 -- every Textual widget calls it so
        super().__init__(id=id, select_on_focus=False)
        self.cursor_blink = False
        self._is_done = False
        self._ahead: list[events.Key] = []

    def resume(self, receiver: Widget | None) -> None:
        """Hand on the keys that were typed since enter or escape: to others, or to this."""
        self._is_done = False
        ahead, self._ahead = self._ahead, []
        for key in ahead:
            (receiver or self).post_message(key)

    async def on_event(self, event: events.Event) -> None:
        """Carry out a key of the line before the next one is looked at.

        By itself it would first bubble up to the app, and the keys typed after enter, which are in
        the queue already, would be taken for text. They wait until it is decided whom they are for.
        """
        if not isinstance(event, events.Key):
            await super().on_event(event)
        elif self._is_done:
            self._ahead.append(event)
        else:
            bound = self.screen.active_bindings.get(event.key)
            if bound is not None and bound.node is self and bound.enabled:
                await self.run_action(bound.binding.action)
            else:
                await super().on_event(event)

    async def action_submit(self) -> None:
        """Hand the line in."""
        self._is_done = True
        await super().action_submit()

    class Asked(Message):
        """A key of the prompt was pressed: ``what`` is ``complete``, ``recall`` or ``leave``."""

        def __init__(self, what: str, step: int) -> None:
            super().__init__()
            self.what = what
            self.step = step

    def action_complete(self, step: int) -> None:
        """Put in the next completion, or the one before."""
        self.post_message(self.Asked("complete", step))

    def action_recall(self, step: int) -> None:
        """Put in what was typed earlier, or later."""
        self.post_message(self.Asked("recall", step))

    def action_leave(self) -> None:
        """Close the prompt."""
        self._is_done = True
        self.post_message(self.Asked("leave", 0))


class Prompt(Vertical):
    """Hidden until `open`ed; posts `Changed` with each key, then `Submitted` or `Left`."""

    DEFAULT_CSS = """
    Prompt { height: auto; display: none; background: $surface; }
    Prompt.open { display: block; }
    Prompt Horizontal { height: 1; }
    Prompt Label { width: 2; color: $accent; text-style: bold; background: $surface; }
    Prompt PromptInput { border: none; height: 1; padding: 0; background: $surface; }
    Prompt PromptInput:focus { border: none; }
    """

    class Changed(Message):
        """Another text stands in the prompt."""

        def __init__(self, mode: str, text: str) -> None:
            super().__init__()
            self.mode = mode
            self.text = text

    class Submitted(Changed):
        """Enter was pressed."""

    class Left(Changed):
        """Escape was pressed."""

    def __init__(self, histories: dict[str, History]) -> None:
        super().__init__(id="prompt")
        self.mode = ""
        self._histories = histories
        self._complete: Callable[[str], Sequence[str]] = lambda _text: ()
        self._offers: Sequence[str] = ()
        self._offer: int | None = None
        self._filling = ""
        self._note: Sequence[Cell] = ()

    def compose(self) -> ComposeResult:
        """Lay out the input, and a line for completions and errors beneath."""
        with Horizontal():
            yield Label("", id="prompt-mode")
            yield PromptInput(id="prompt-input")
        yield CellLine(id="prompt-note")

    @property
    def is_open(self) -> bool:
        """Whether somebody types into it."""
        return bool(self.mode)

    @property
    def text(self) -> str:
        """What stands in it."""
        return self._input.value

    def open(
        self,
        mode: str,
        text: str,
        complete: Callable[[str], Sequence[str]],
        *,
        note: Sequence[Cell] = (),
    ) -> None:
        """Show the prompt with a text in it, and give it the focus.

        The note stands beneath while there is nothing to complete.
        """
        self.mode = mode
        self._note = note
        self._complete = complete
        self._histories[mode].restart()
        self.query_one("#prompt-mode", Label).update(mode)
        self.add_class("open")
        self._fill(text)
        # At once, not by a message: the next key may be in the queue already.
        self.screen.set_focus(self._input, scroll_visible=False)
        self._offer_completions(text)

    def close(self) -> None:
        """Hide it."""
        self.mode = ""
        self.remove_class("open")

    def hand_on(self, receiver: Widget | None = None) -> None:
        """Hand on what was typed ahead of a decision: to ``receiver``, else to the line itself."""
        self._input.resume(receiver)

    def show_note(self, cells: Sequence[Cell]) -> None:
        """Show something beneath the line: what is wrong, and where."""
        self.query_one("#prompt-note", CellLine).say(cells)

    def show_error(self, message: str, position: int | None) -> None:
        """Show what is wrong; a caret stands under its place."""
        caret = "" if position is None else " " * (position + 2) + "^ "
        self.show_note([(caret, "error"), (printable(message, 300), "error")])

    @property
    def _input(self) -> PromptInput:
        return self.query_one(PromptInput)

    def _fill(self, text: str) -> None:
        self._filling = text
        self._input.value = text
        self._input.cursor_position = len(text)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if not self.is_open:
            return
        if event.value != self._filling:
            self._offer = None
            self._offer_completions(event.value)
        self._filling = ""
        self.post_message(self.Changed(self.mode, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._histories[self.mode].add(event.value)
        self.post_message(self.Submitted(self.mode, event.value))

    @on(PromptInput.Asked)
    def _asked(self, event: PromptInput.Asked) -> None:
        event.stop()
        if event.what == "leave":
            self.post_message(self.Left(self.mode, self.text))
        elif event.what == "recall":
            recalled = self._histories[self.mode].recall(event.step, self.text)
            if recalled is not None:
                self._fill(recalled)
        elif self._offers:
            offer = -1 if self._offer is None and event.step < 0 else (self._offer or 0)
            if self._offer is not None:
                offer = self._offer + event.step
            self._offer = offer % len(self._offers)
            self._fill(self._offers[self._offer])
            self._show_offers()

    def _offer_completions(self, text: str) -> None:
        self._offers = self._complete(text)
        self._show_offers()

    def _show_offers(self) -> None:
        cells: list[Cell] = []
        for number, offer in enumerate(self._offers[:_SHOWN_COMPLETIONS]):
            word = offer.rstrip().rpartition(" ")[2]
            cells += [("  ", "dim"), (word, "accent" if number == self._offer else "dim")]
        if len(self._offers) > _SHOWN_COMPLETIONS:
            cells.append((f"  … {len(self._offers) - _SHOWN_COMPLETIONS} more", "dim"))
        self.show_note(cells or self._note)
