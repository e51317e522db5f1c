"""A plan on the screen before anything is changed: what it touches, the diff, the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from fleet_core.contracts.text import printable
from fleet_core.operations.plans import Friction, counted
from fleet_core.operations.registry import operation
from fleet_tui.themes import styles_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textual.app import ComposeResult

    from fleet_core.operations.plans import Plan

_SHOWN_DEVICES = 8
_SHOWN_DIFF_LINES = 2_000
_LINES_AROUND_DIFF = 16
"""Border, heading, command, what is typed, buttons, and a margin."""
_DIFF_LINES_MIN = 3
_DIFF_STYLES = {"+": "ok", "-": "error", "@": "accent"}


class PlanDialog(ModalScreen[bool]):
    """Returns True where the plan is to be carried out. The default is to leave it."""

    DEFAULT_CSS = """
    PlanDialog { align: center middle; }
    PlanDialog > Vertical {
        width: 90%; max-width: 110; height: auto; max-height: 90%;
        border: round $warning; background: $surface; padding: 0 1;
    }
    PlanDialog VerticalScroll { height: auto; }
    PlanDialog Static { height: auto; }
    PlanDialog Horizontal { height: auto; align-horizontal: right; margin-top: 1; }
    PlanDialog Button { margin-left: 2; min-width: 12; border: none; height: 1; }
    PlanDialog Input { border: none; height: 1; background: $panel; padding: 0 1; }
    PlanDialog Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(False)", "Cancel", id="plan.cancel"),
        Binding("y", "confirm", "Yes", id="plan.confirm"),
        Binding("left,right", "other_button", "Other button", show=False, id="plan.other"),
        Binding("down,j", "scroll_diff(1)", "Down", show=False, id="plan.down"),
        Binding("up,k", "scroll_diff(-1)", "Up", show=False, id="plan.up"),
        Binding("pagedown", "scroll_diff(10)", "Page down", show=False, id="plan.page-down"),
        Binding("pageup", "scroll_diff(-10)", "Page up", show=False, id="plan.page-up"),
    ]

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def compose(self) -> ComposeResult:
        """Lay out the plan, what has to be typed, and the buttons."""
        with Vertical():
            yield Static(self._styled(self._heading()), id="plan-summary")
            if self.plan.diff:
                with VerticalScroll(can_focus=False):
                    yield Static(self._styled(self._diff()), id="plan-diff")
            yield Static(self._styled([("", "text"), (f"$ {self.plan.command}", "accent")]))
            if self._must_type:
                yield Static(Text(f"Type {self.plan.confirmation} to go on:"))
                yield Input(id="plan-typed", select_on_focus=False)
            with Horizontal():
                yield Button("Cancel", id="plan-cancel", compact=True)
                yield Button(
                    operation(self.plan.operation).title,
                    id="plan-go",
                    variant="warning",
                    compact=True,
                    disabled=self._must_type,
                )

    def on_mount(self) -> None:
        """Put the focus where nothing happens by accident."""
        if self._must_type:
            self.query_one("#plan-typed", Input).focus()
        else:
            self.query_one("#plan-cancel", Button).focus()

    def on_resize(self) -> None:
        """Leave room for what stands around the diff, down to the buttons."""
        around = _LINES_AROUND_DIFF + len(self.plan.warnings)
        for scroll in self.query(VerticalScroll):
            scroll.styles.max_height = max(_DIFF_LINES_MIN, self.size.height - around)

    def _styled(self, lines: Iterable[tuple[str, str]]) -> Text:
        """Return lines as styled text; all of it is shown as text, whatever it contains."""
        styles = styles_for(self.app.theme)
        text = Text()
        for line, style in lines:
            text.append(f"{printable(line, 1_000)}\n", styles[style])
        text.rstrip()
        return text

    @property
    def _must_type(self) -> bool:
        return self.plan.friction in {Friction.TYPE_NUMBER, Friction.TYPE_NAME}

    def _heading(self) -> Iterator[tuple[str, str]]:
        plan = self.plan
        yield plan.title, "title"
        count = counted(len(plan.devices), "device")
        offline = f", {plan.offline:,} of them offline" if plan.offline else ""
        yield f"touches {count}{offline}", "warning" if plan.offline else "text"
        names = ", ".join(plan.devices[:_SHOWN_DEVICES])
        more = len(plan.devices) - _SHOWN_DEVICES
        if names:
            yield names + (f" … and {more:,} more" if more > 0 else ""), "dim"
        for warning in plan.warnings:
            yield f"! {warning}", "warning"

    def _diff(self) -> Iterator[tuple[str, str]]:
        plan = self.plan
        for line in plan.diff[:_SHOWN_DIFF_LINES]:
            yield line, _DIFF_STYLES.get(line[:1], "text")
        if len(plan.diff) > _SHOWN_DIFF_LINES:
            yield f"… {len(plan.diff) - _SHOWN_DIFF_LINES} more lines", "dim"

    def action_scroll_diff(self, lines: int) -> None:
        """Scroll the diff."""
        for scroll in self.query(VerticalScroll):
            scroll.scroll_relative(y=lines, animate=False)

    def action_other_button(self) -> None:
        """Go to the other button."""
        self.focus_next(Button)

    def action_confirm(self) -> None:
        """Go on, where one key is enough."""
        if not self._must_type:
            self.dismiss(result=True)

    @on(Input.Changed, "#plan-typed")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#plan-go", Button).disabled = event.value.strip() != self.plan.confirmation

    @on(Input.Submitted, "#plan-typed")
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self.plan.confirmation:
            self.dismiss(result=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(result=event.button.id == "plan-go")
