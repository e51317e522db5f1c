"""The runs of one container: when each ended, how, and what it said last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_agent.reconcile.back_off import BackOff
from fleet_agent.reconcile.reasons import COMPLETED, explain_exit

if TYPE_CHECKING:
    from fleet_agent.runtime.contract import Snapshot


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks: the first is for waiting, the second for showing."""

    monotonic_s: float
    unix_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a container ended."""

    attempt: int
    exit_code: int | None
    """None where no program's exit code stands behind the end."""
    reason: str
    message: str = ""
    started_at_s: float | None = None
    finished_at_s: float | None = None
    last_lines: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was for."""
        return self.reason == COMPLETED

    @property
    def ran_for_s(self) -> float:
        """How long it ran; 0 where that is not known."""
        if self.started_at_s is None or self.finished_at_s is None:
            return 0.0
        return max(0.0, self.finished_at_s - self.started_at_s)


@dataclass(frozen=True, slots=True)
class ContainerProgress:
    """The runs of one container under the present spec and boot."""

    attempt: int = -1
    """Of the newest run; -1 before the first."""
    last: Ended | None = None
    before_last: Ended | None = None
    back_off: BackOff = field(default_factory=BackOff)


def ended_from(found: Snapshot, last_lines: str, because: str = "") -> Ended:
    """Return how a container ended, in Kubernetes' words; ``because`` is why the agent ended it."""
    exit_code = found.exit_code if found.exit_code is not None else -1
    reason, message = explain_exit(exit_code, oom_killed=found.oom_killed)
    message = because or message
    return Ended(
        found.attempt,
        exit_code,
        reason,
        message,
        found.started_at_s,
        found.finished_at_s,
        last_lines,
    )
