"""How far an operator has come since its start, or since it lost touch. Pure: time is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What an operator is doing."""

    RECOVERING = "Recovering"
    """It reads everything that is stored; nothing is written before that is done."""
    STANDBY = "Standby"
    """It has read everything, and another operator writes."""
    CONVERGING = "Converging"
    """It writes what follows from what it has read."""
    CONVERGED = "Converged"
    """Everything that follows is written."""


def stage_of(*, synced: bool, may_write: bool, busy: bool) -> Stage:
    """Return the stage of an operator that has (or not) read everything, may write, has work."""
    if not synced:
        return Stage.RECOVERING
    if not may_write:
        return Stage.STANDBY
    return Stage.CONVERGING if busy else Stage.CONVERGED


@dataclass(slots=True)
class Recovery:
    """The stage an operator is in, since when, and how long it took to converge."""

    stage: Stage = Stage.RECOVERING
    since_s: float = 0.0
    """Of the monotonic clock: when it last began to recover or to converge for the first time."""
    converged_after_s: float | None = None
    """From the last beginning until everything was written; None until then."""

    def note(self, stage: Stage, now_s: float) -> str:
        """Take a stage; returns what is to be told of it, or nothing.

        Ordinary changes make an operator converge all the time: only the first time after a
        recovery is worth a word.
        """
        if stage is self.stage:
            return ""
        before, self.stage = self.stage, stage
        if stage is Stage.RECOVERING:
            self.since_s, self.converged_after_s = now_s, None
            return f"{before} → {stage}"
        if stage is Stage.CONVERGED and self.converged_after_s is None:
            self.converged_after_s = now_s - self.since_s
            return f"Recovering → {stage} after {self.converged_after_s:.1f} s"
        return f"{before} → {stage}" if Stage.STANDBY in (before, stage) else ""
