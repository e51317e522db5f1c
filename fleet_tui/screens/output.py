"""Output: what the programs of one `exec` said, and how they ended."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self

from textual.binding import Binding, BindingType

from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_tui.jobs import JobState
from fleet_tui.locations import Location
from fleet_tui.screens.text_screen import TextScreen
from fleet_tui.sources.exec_output import end_cell, output_lines, time_text
from fleet_tui.sources.exec_places import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_tui.app import FleetApp
    from fleet_tui.jobs import Job
    from fleet_tui.table.source import Cell

_NUMBER_MAX_DIGITS = 9


class OutputScreen(TextScreen):
    """The output of a job's programs, on one device or on all of them. `/` searches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "exec", "Exec", id="output.exec"),
        Binding("R", "again", "Run again", id="output.again"),
        Binding("ctrl+k", "cancel", "Cancel", id="output.cancel"),
    ]

    view_name = "output"

    def __init__(self, number: int, device: str = "") -> None:
        super().__init__()
        self._number = number
        self._device = device
        self._shown_changes = -1

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view of a job; raises InvalidInputError where no number is given."""
        number, _, device = location.argument.partition(" ")
        if not number.isdecimal() or len(number) > _NUMBER_MAX_DIGITS:
            raise InvalidInputError("output: expected a job's number", remedy=":jobs lists them")
        return cls(int(number), device.strip())

    def check(self, app: FleetApp) -> None:
        """Raise NotFoundError where the job is not kept, or is none that has output."""
        job = app.jobs.find(self._number)
        if job is None or job.operation.id != "exec":
            raise NotFoundError(f"there is no exec job {self._number}", remedy=":jobs lists them")
        if self._device and self._device not in job.plan.targets:
            raise NotFoundError(
                f"job {self._number} does not run on {self._device[:80]!r}",
                remedy=f":job {self._number} lists its devices",
            )

    @property
    def location(self) -> Location:
        """The job, and the device where it is one of several."""
        return Location(self.view_name, f"{self._number} {self._device}".strip())

    @property
    def job(self) -> Job | None:
        """The job, for as long as it is kept."""
        return self.fleet_app.jobs.find(self._number)

    def on_mount(self) -> None:
        """Give the text the focus."""
        super().on_mount()
        self.focus_body()

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return what is run, how it ended, and how long that took."""
        left, right = super().title_cells()
        job = self.job
        if job is None:
            return left, right
        targets = self._targets(job)
        on = f" on {self._device}" if self._device and job.total > 1 else ""
        cells: list[Cell] = [(f" {job.plan.title}{on}", "title")]
        if job.error:
            cells.append((f"  {job.error}", "error"))
        # How it ended stands at the right, which no long line pushes out of sight.
        if len(targets) == 1:
            ended = [end_cell(job, targets[0])]
        else:
            ended = [(f"{job.ok:,} ok", "ok")]
            ended.append((f"  {job.failed:,} failed", "failed" if job.failed else "dim"))
        return [*cells, *left[1:]], [*ended, (f"  {time_text(job, targets)} ", "dim")]

    def tick(self) -> None:
        """Show what has arrived since."""
        job = self.job
        if job is not None and job.changes != self._shown_changes:
            self._shown_changes = job.changes
            self.text.set_lines(output_lines(job, self._targets(job)))
        super().tick()

    def _targets(self, job: Job) -> tuple[str, ...]:
        return (self._device,) if self._device else job.plan.targets

    # Keys

    def action_exec(self) -> None:
        """Run another line in the same place."""
        job = self.job
        if job is not None:
            asked = job.request
            place = Place(self._targets(job), asked.deployment, asked.container)
            self.fleet_app.ask_exec(place, choose=False)

    def action_again(self) -> None:
        """Run the same line again, once that is confirmed."""
        job = self.job
        if job is not None and job.state is not JobState.RUNNING:
            request = replace(job.request, devices=self._targets(job))
            self.fleet_app.start(job.operation.id, request, ask=True)

    def action_cancel(self) -> None:
        """Wait no longer; the program goes on to its deadline."""
        job = self.job
        if job is not None:
            self.fleet_app.jobs.cancel(job)
