"""Jobs: operations under way or done, with a result for each target as it arrives."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fleet_core.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.operation import Operation
    from fleet_core.operations.plans import Plan, Request, TargetResult

_log = logging.getLogger(__name__)

KEPT_JOBS: Final = 50
RUNNING_JOBS_MAX: Final = 8


class JobState(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It ended early, by an error that concerns all of its targets."""
    CANCELLED = "cancelled"


@dataclass(slots=True, eq=False)
class Job:
    """One operation on its targets."""

    number: int
    operation: Operation
    request: Request
    plan: Plan
    started_s: float
    state: JobState = JobState.RUNNING
    results: dict[str, TargetResult] = field(default_factory=dict)
    failed: int = 0
    ended_s: float | None = None
    error: str = ""
    changes: int = 0
    """Grows with each change, for whoever shows it."""

    @property
    def total(self) -> int:
        """How many targets it has."""
        return len(self.plan.targets)

    @property
    def ok(self) -> int:
        """On how many targets it went well."""
        return len(self.results) - self.failed

    @property
    def failed_targets(self) -> tuple[str, ...]:
        """The targets that have failed, or were not reached before it ended."""
        over = self.state is not JobState.RUNNING
        return tuple(
            target
            for target in self.plan.targets
            if (not result.ok if (result := self.results.get(target)) else over)
        )


class Jobs:
    """Runs jobs, each in a task that it owns, and keeps the last of them."""

    def __init__(
        self,
        clock: Callable[[], float],
        on_result: Callable[[Job, TargetResult], None],
        on_end: Callable[[Job], None],
    ) -> None:
        self.all: list[Job] = []
        """Oldest first."""
        self._clock = clock
        self._on_result = on_result
        self._on_end = on_end
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._last_number = 0

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._tasks)

    def find(self, number: int) -> Job | None:
        """Return a job, for as long as it is kept."""
        return next((job for job in self.all if job.number == number), None)

    def start(self, fleet: LiveFleet, operation: Operation, request: Request, plan: Plan) -> Job:
        """Start a job."""
        self._last_number += 1
        job = Job(self._last_number, operation, request, plan, self._clock())
        self.all.append(job)
        self._forget_old()
        task = asyncio.create_task(self._run(fleet, job), name=f"job-{job.number}")
        self._tasks[job.number] = task
        task.add_done_callback(lambda _task: self._tasks.pop(job.number, None))
        return job

    def cancel(self, job: Job) -> None:
        """End a job; what is done stays done."""
        task = self._tasks.get(job.number)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """End all jobs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, fleet: LiveFleet, job: Job) -> None:
        try:
            async with aclosing(job.operation.run(fleet, job.plan)) as results:
                async for result in results:
                    job.results[result.target] = result
                    job.failed += not result.ok
                    job.changes += 1
                    self._on_result(job, result)
            job.state = JobState.DONE
        except FleetError as error:
            job.state, job.error = JobState.FAILED, str(error)
        except asyncio.CancelledError:
            job.state = JobState.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not take the session down
            _log.exception("%s failed", job.plan.title)
            job.state, job.error = JobState.FAILED, f"unexpected: {error}"
        finally:
            job.ended_s = self._clock()
            job.changes += 1
            self._on_end(job)

    def _forget_old(self) -> None:
        over = len(self.all) - KEPT_JOBS
        if over > 0:
            done = [job for job in self.all if job.state is not JobState.RUNNING][:over]
            self.all = [job for job in self.all if job not in done]
