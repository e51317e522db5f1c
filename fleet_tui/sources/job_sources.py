"""The tables of jobs: all of them, and the results of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fleet_tui.jobs import Job, JobState
from fleet_tui.sources.device_source import rtt_text
from fleet_tui.sources.record_source import RecordSource
from fleet_tui.table import Column, Sort, span_text
from fleet_tui.widgets.bars import bar_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.operations.plans import TargetResult
    from fleet_core.view import Filter, FleetView
    from fleet_tui.jobs import Jobs
    from fleet_tui.table.source import Cell

BAR_CELLS: Final = 16
_STATE_STYLES: Final = {
    JobState.RUNNING: "accent",
    JobState.DONE: "ok",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "warning",
}
_WAITING: Final = "waiting"


class JobSource(RecordSource[Job]):
    """Jobs by number, the newest first."""

    COLUMNS = (
        Column("job", "JOB", 4, align="right"),
        Column("what", "WHAT", 20, flex=3, max_width=70),
        Column("state", "STATE", 9),
        Column("progress", "PROGRESS", BAR_CELLS),
        Column("ok", "OK", 7, align="right"),
        Column("failed", "FAILED", 7, align="right"),
        Column("total", "OF", 7, align="right"),
        Column("age", "AGE", 4, align="right"),
        Column("error", "ERROR", 10, flex=2),
    )

    def __init__(self, view: FleetView, jobs: Jobs, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock, sort=Sort("job", descending=True))
        self._jobs = jobs

    @property
    def total(self) -> int:
        """How many jobs are kept."""
        return len(self._jobs.all)

    def state_of_view(self) -> Hashable:
        """Return what differs when there are other jobs."""
        return (len(self._jobs.all), sum(job.changes for job in self._jobs.all))

    def find(self, parsed: Filter) -> dict[str, Job]:
        """Return the jobs whose title holds the filter's words."""
        wanted = str(parsed).lower()
        return {
            str(job.number): job
            for job in self._jobs.all
            if wanted in job.plan.title.lower() and (job.failed or not self.faults_only)
        }

    def sort_keys(self) -> Mapping[str, Callable[[Job], Any]]:
        """Return what jobs are sorted by."""
        return {"job": lambda job: job.number, "failed": lambda job: job.failed}

    def cells_of(self, record: Job) -> Sequence[Cell]:
        """Return the cells of a job."""
        left = record.total - len(record.results)
        return (
            (str(record.number), "text"),
            (record.plan.title, "strong"),
            (record.state.value, _STATE_STYLES[record.state]),
            (bar_text((record.ok, 0, record.failed, left), BAR_CELLS), "text"),
            (f"{record.ok:,}", "ok" if record.ok else "dim"),
            (f"{record.failed:,}", "failed" if record.failed else "dim"),
            (f"{record.total:,}", "text"),
            (span_text(self.clock() - record.started_s), "dim"),
            (record.error, "failed"),
        )


class ResultSource(RecordSource["TargetResult | None"]):
    """One job's results by target; None while it is waited for."""

    COLUMNS = (
        Column("target", "TARGET", 16, flex=1, max_width=44),
        Column("result", "RESULT", 9),
        Column("rtt", "RTT", 8, align="right"),
        Column("message", "MESSAGE", 20, flex=3),
    )

    def __init__(self, view: FleetView, job: Job, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock)
        self._job = job

    @property
    def total(self) -> int:
        """How many targets the job has."""
        return self._job.total

    def state_of_view(self) -> Hashable:
        """Return what differs when there are more results."""
        return self._job.changes

    def find(self, parsed: Filter) -> dict[str, TargetResult | None]:
        """Return the results, those that failed first, those that are missing last."""
        wanted = str(parsed).lower()
        results = self._job.results
        ordered = sorted(self._job.plan.targets, key=lambda target: _rank(results.get(target)))
        return {
            target: result
            for target in ordered
            if _holds(wanted, target, result := results.get(target))
            and not (self.faults_only and result is not None and result.ok)
        }

    def sort_keys(self) -> Mapping[str, Callable[[TargetResult | None], Any]]:
        """Return what results are sorted by."""
        return {
            "target": lambda result: result.target if result is not None else "",
            "rtt": lambda result: (result.rtt_ms if result is not None else None) or float("inf"),
        }

    def key_of(self, row: int) -> str:
        """Return the target of a row."""
        return self.key(row)

    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return the cells of a row; a target that has not answered has no record yet."""
        target = self.key(row)
        result = self.record(target)
        if result is None:
            over = self._job.state is not JobState.RUNNING
            return (
                (target, "dim"),
                ("not done" if over else _WAITING, "dim"),
                ("", "dim"),
                ("", "dim"),
            )
        return ((target, "text"), *self.cells_of(result)[1:])

    def cells_of(self, record: TargetResult | None) -> Sequence[Cell]:
        """Return the cells of a result."""
        if record is None:
            return ()
        word = "ok" if record.ok else record.kind
        return (
            (record.target, "text"),
            (word, "ok" if record.ok else "failed"),
            ("" if record.rtt_ms is None else rtt_text(record.rtt_ms), "accent"),
            (record.message, "text"),
        )


def _rank(result: TargetResult | None) -> int:
    if result is None:
        return 2
    return 1 if result.ok else 0


def _holds(wanted: str, target: str, result: TargetResult | None) -> bool:
    if not wanted:
        return True
    said = f"{result.kind} {result.message}" if result is not None else _WAITING
    return wanted in f"{target} {said}".lower()
