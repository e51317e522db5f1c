"""The history of a Deployment: its versions, and what going back to one of them would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self, cast

from textual import on
from textual.binding import Binding, BindingType

from fleet_core.errors import InvalidInputError
from fleet_core.operations.plans import Request
from fleet_core.operations.rollouts.words import revision_diff
from fleet_core.view import parse_filter
from fleet_tui.locations import Location
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.revision_source import RevisionSource
from fleet_tui.table import VirtualTable
from fleet_tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

    from fleet_core.contracts.rollouts import Revision
    from fleet_tui.sources.live_source import LiveSource
    from fleet_tui.table.source import Cell


class RevisionsScreen(TableScreen):
    """``history [NAMESPACE/]NAME``: versions, over how one differs from what is applied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("U", "undo", "Go back to it", id="revision.undo"),
    ]

    view_name = "history"
    noun = "versions"

    def __init__(self, namespace: str, name: str, *, filter_text: str = "") -> None:
        super().__init__(filter_text=filter_text)
        self._of = (namespace, name)

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view; raises InvalidInputError where no Deployment is named."""
        parse_filter(location.filter)
        namespace, slash, name = location.argument.strip().rpartition("/")
        if not name:
            raise InvalidInputError(
                "history: expected a deployment's name", remedy="history [NAMESPACE/]NAME"
            )
        return cls(namespace if slash else "default", name, filter_text=location.filter)

    @property
    def location(self) -> Location:
        """The Deployment, and the filter."""
        return Location(self.view_name, "/".join(self._of), filter=self.filter_text())

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return RevisionSource(self.view, self._of, clock=self.fleet_app.clock)

    def compose_body(self) -> Iterable[Widget]:
        """Return the table, and the difference beneath it."""
        yield from super().compose_body()
        yield TextPane(id="detail")

    def title_cells(self) -> tuple[list[Cell], list[Cell]]:
        """Return whose history it is, and what the others say."""
        left, right = super().title_cells()
        return [(f" history of {'/'.join(self._of)}", "title"), *left[1:]], list(right)

    def tick(self) -> None:
        """Follow the read model, and tell the version under the cursor from what is applied."""
        super().tick()
        revision, row = self.revision_under_cursor, self.view.deployments.get(self._of)
        title = ""
        lines: tuple[str, ...] = ()
        if revision is not None and row is not None:
            lines = revision_diff(revision, row.resource)
            same = f"revision {revision.number} is what is applied"
            title = f"what going back to revision {revision.number} changes" if lines else same
        self.query_one("#detail", TextPane).show(title, lines)

    @property
    def revision_under_cursor(self) -> Revision | None:
        """The version under the cursor."""
        key = self.table.cursor_key
        return cast("RevisionSource", self.rows).record(key) if key is not None else None

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self) -> None:
        self.tick()

    def open_row(self, key: str) -> None:
        """Go back to the version, once its plan is confirmed."""
        del key
        self.action_undo()

    def action_undo(self) -> None:
        """Apply the version under the cursor again, once its plan is confirmed."""
        revision = self.revision_under_cursor
        if revision is not None:
            namespace, name = self._of
            request = Request(namespace=namespace, deployment=name, revision=revision.number)
            self.fleet_app.start("rollout-undo", request, ask=True)
