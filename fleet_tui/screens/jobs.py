"""Jobs: what was started in this session, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.job_sources import JobSource

if TYPE_CHECKING:
    from fleet_tui.sources.live_source import LiveSource


class JobsScreen(TableScreen):
    """The jobs of this session."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+k", "cancel", "Cancel", id="jobs.cancel"),
    ]

    view_name = "jobs"
    noun = "jobs"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return JobSource(self.view, self.fleet_app.jobs, clock=self.fleet_app.clock)

    def open_row(self, key: str) -> None:
        """Show a job's results."""
        self.fleet_app.go(f"job {key}")

    def action_cancel(self) -> None:
        """End the job under the cursor; what is done stays done."""
        key = self.table.cursor_key
        for job in self.fleet_app.jobs.all:
            if str(job.number) == key:
                self.fleet_app.jobs.cancel(job)
