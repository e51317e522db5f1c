"""Rollouts: how far each new version is, batch by batch, and what a person can tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import Binding, BindingType

from fleet_core.contracts.rollouts import RolloutPhase
from fleet_core.operations.plans import Request, counted
from fleet_core.operations.rollouts.words import condition_lines, ref_words, why
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.rollout_source import RolloutRow, RolloutSource
from fleet_tui.table import VirtualTable
from fleet_tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_tui.sources.live_source import LiveSource
    from fleet_tui.table.source import Cell


class RolloutsScreen(TableScreen):
    """All rollouts, with the batches of those under way, over what is known of one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "tell('pause')", "Pause", id="rollout.pause"),
        Binding("Z", "tell('resume')", "Resume", id="rollout.resume"),
        Binding("N", "tell('promote')", "Promote", id="rollout.promote"),
        Binding("A", "tell('abort')", "Abort", id="rollout.abort"),
        Binding("B", "tell('revert')", "Revert", id="rollout.revert"),
        Binding("U", "tell('undo')", "Undo", id="rollout.undo"),
        Binding("H", "history", "History", id="rollout.history"),
        Binding("o", "unfold", "Unfold", show=False, id="rollout.unfold"),
        Binding("y", "yaml", "YAML", show=False, id="rollout.yaml"),
    ]

    view_name = "rollouts"
    noun = "rollouts"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return RolloutSource(self.view, clock=self.fleet_app.clock)

    @property
    def rollouts(self) -> RolloutSource:
        """The source of the table."""
        return cast("RolloutSource", self.rows)

    def compose_body(self) -> Iterable[Widget]:
        """Return the table, and what is known of one rollout beneath it."""
        yield from super().compose_body()
        yield TextPane(id="detail")

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the name, the filter, and how many wait for a person; batches do not count."""
        left, right = super().title_cells()
        shown = self.rollouts.shown
        waiting = sum(row.rollout.phase is RolloutPhase.PAUSED for row in shown)
        count: Cell = (f"{counted(len(shown), 'rollout')} ", "text")
        paused: list[Cell] = [(f" {waiting:,} paused ", "warning")] if waiting else []
        return left, [count, *paused, *right[1:]]

    def tick(self) -> None:
        """Follow the read model, and the rollout under the cursor."""
        super().tick()
        row = self.row_under_cursor
        title = f"{row.deployment.namespace}/{row.deployment.name}" if row is not None else ""
        lines = detail_lines(row) if row is not None else ()
        self.query_one("#detail", TextPane).show(title, lines)

    @property
    def row_under_cursor(self) -> RolloutRow | None:
        """The rollout or batch under the cursor."""
        key = self.table.cursor_key
        return self.rollouts.record(key) if key is not None else None

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self) -> None:
        self.tick()

    def open_row(self, key: str) -> None:
        """Show the devices that should run it, and how they stand."""
        row = self.rollouts.record(key)
        if row is not None:
            self.fleet_app.run_line(f"devices-of {row.deployment.name}")

    def action_unfold(self) -> None:
        """Show the batches of the rollout under the cursor, or hide them."""
        row = self.row_under_cursor
        if row is not None:
            key = f"{row.deployment.namespace}/{row.deployment.name}"
            self.rollouts.toggle(key)
            self.table.set_cursor(key)
            self.tick()

    def action_tell(self, verb: str) -> None:
        """Tell the rollout under the cursor what to do, once its plan is confirmed."""
        row = self.row_under_cursor
        if row is not None:
            of = row.deployment
            request = Request(namespace=of.namespace, deployment=of.name)
            self.fleet_app.start(f"rollout-{verb}", request)

    def action_history(self) -> None:
        """Show the versions of the Deployment under the cursor."""
        row = self.row_under_cursor
        if row is not None:
            self.fleet_app.go(f"history {row.deployment.namespace}/{row.deployment.name}")

    def action_yaml(self) -> None:
        """Show the Deployment under the cursor as YAML, with all of its rollout's status."""
        row = self.row_under_cursor
        if row is not None:
            self.fleet_app.go(f"yaml deployment {row.deployment.namespace}/{row.deployment.name}")


def detail_lines(row: RolloutRow) -> tuple[str, ...]:
    """Return what is known of a rollout beyond its counts."""
    rollout, lines = row.rollout, []
    if why(rollout):
        lines.append(f"{'because':<12} {why(rollout)}")
    lines.append(f"{'version':<12} {ref_words(rollout.update)}")
    if rollout.stable != rollout.update:
        lines.append(f"{'before':<12} {ref_words(rollout.stable)}")
    return (*lines, *condition_lines(row.deployment.status.conditions))
