"""One job: the result of each target as it arrives."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from textual.binding import Binding, BindingType

from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_core.operations.plans import Scope
from fleet_tui.jobs import JobState
from fleet_tui.locations import Location
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.device_source import rtt_text
from fleet_tui.sources.job_sources import ResultSource
from fleet_tui.widgets.bars import bar_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_tui.app import FleetApp
    from fleet_tui.jobs import Job
    from fleet_tui.sources.live_source import LiveSource
    from fleet_tui.table.source import Cell

_BAR_CELLS = 20
_NUMBER_MAX_DIGITS = 9


class JobScreen(TableScreen):
    """A job's results, those that failed first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "retry", "Retry failed", id="job.retry"),
        Binding("o", "output", "Output", id="job.output"),
        Binding("ctrl+k", "cancel", "Cancel", id="job.cancel"),
    ]

    view_name = "job"
    noun = "targets"

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._rtt: tuple[int, str] = (-1, "")

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view of a job; raises InvalidInputError where no number is given."""
        if not location.argument.isdecimal() or len(location.argument) > _NUMBER_MAX_DIGITS:
            raise InvalidInputError("job: expected the job's number", remedy=":jobs lists them")
        return cls(int(location.argument))

    def check(self, app: FleetApp) -> None:
        """Raise NotFoundError where the job is not kept, or never was."""
        if all(job.number != self._number for job in app.jobs.all):
            raise NotFoundError(f"there is no job {self._number}", remedy=":jobs lists them")

    @property
    def location(self) -> Location:
        """The job."""
        return Location(self.view_name, str(self._number), self.filter_text())

    @property
    def job(self) -> Job | None:
        """The job, for as long as it is kept."""
        return self.fleet_app.jobs.find(self._number)

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        job = self.job
        if job is None:
            raise InvalidInputError(
                f"there is no job {self._number} any more", remedy=":jobs lists them"
            )
        return ResultSource(self.view, job, clock=self.fleet_app.clock)

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return what is done, how far it is, and how fast the answers came."""
        left, right = super().title_cells()
        job = self.job
        if job is None:
            return left, right
        missing = job.total - len(job.results)
        bar = bar_text((job.ok, 0, job.failed, missing), _BAR_CELLS)
        cells: list[Cell] = [
            (f" job {job.number}  {job.plan.title}  ", "title"),
            (bar, "text"),
            (f"  {job.ok:,} ok", "ok"),
            (f"  {job.failed:,} failed", "failed" if job.failed else "dim"),
            (f"  {job.state.value}", "accent" if job.state is JobState.RUNNING else "text"),
            (self._rtts(job), "dim"),
            (f"  {job.error}", "error"),
        ]
        return [*cells, *left[1:]], right

    def _rtts(self, job: Job) -> str:
        if self._rtt[0] != job.changes:
            rtts = [r.rtt_ms for r in job.results.values() if r.rtt_ms is not None]
            text = ""
            if rtts:
                middle = statistics.median(rtts)
                text = f"  rtt {rtt_text(min(rtts))} … {rtt_text(middle)} … {rtt_text(max(rtts))}"
            self._rtt = (job.changes, text)
        return self._rtt[1]

    def open_row(self, key: str) -> None:
        """Open the device, or what its program said."""
        job = self.job
        if self._has_output:
            self.fleet_app.go(f"output {self._number} {key}")
        elif job is not None and job.operation.scope is Scope.DEVICES:
            self.fleet_app.go(f"device {key}")

    @property
    def _has_output(self) -> bool:
        job = self.job
        return job is not None and job.operation.id == "exec"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the output where there is one."""
        if action == "output" and not self._has_output:
            return False
        return super().check_action(action, parameters)

    def action_output(self) -> None:
        """Show what the programs said on all devices."""
        self.fleet_app.go(f"output {self._number}")

    def action_retry(self) -> None:
        """Do it again on the targets that failed."""
        job = self.job
        if job is None or not job.failed_targets:
            self.fleet_app.say("nothing has failed", "ok")
        elif set(job.failed_targets) <= set(job.plan.devices):
            request = replace(job.request, devices=job.failed_targets, filter="")
            self.fleet_app.start(job.operation.id, request, ask=True)
        else:
            self.fleet_app.start(job.operation.id, job.request, ask=True)

    def action_cancel(self) -> None:
        """End the job; what is done stays done."""
        job = self.job
        if job is not None:
            self.fleet_app.jobs.cancel(job)
