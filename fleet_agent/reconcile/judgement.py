"""Whether a version has proved itself, or is given up: a pure function of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.proofs import next_init
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.scores import Rollback
from fleet_core.contracts.states import Phase

if TYPE_CHECKING:
    from fleet_agent.reconcile.memory import Memory
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.seen import Desired, Seen

PROVEN_AFTER_S: Final = 10.0
"""So long all services must be ready in a row: one that crashes at once has not proved itself.

As ``minReadySeconds`` of a Kubernetes Deployment, whose default of 0 would take it for good.
"""


class Verdict(Enum):
    """What is to be done with the version that is wanted."""

    GO_ON = "go on"
    PROVEN = "proven"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and when it could be another one without anything happening."""

    verdict: Verdict = Verdict.GO_ON
    until_s: float | None = None
    """On the monotonic clock."""
    why: str = ""


def judge(memory: Memory, own: Seen, phase: Phase, now_s: float) -> Judgement:
    """Return the judgement on the wish; ``own`` are its containers, ``now_s`` is monotonic."""
    desired, last_good, progress = memory.desired, memory.last_good, memory.progress
    if desired is None or memory.fallback is not None:
        return Judgement()
    if last_good is not None and last_good.spec_hash == desired.spec_hash:
        return Judgement()
    if phase is Phase.RUNNING:
        return _proof(progress, now_s)
    if last_good is None or desired.score.rollback is Rollback.NEVER:
        return Judgement()
    if phase is Phase.FAILED:
        return Judgement(Verdict.GIVE_UP, why="failed")
    return _deadline(desired, own, progress, now_s)


def _proof(progress: Progress, now_s: float) -> Judgement:
    if progress.ready_since_s is None:
        return Judgement()
    proven_at_s = progress.ready_since_s + PROVEN_AFTER_S
    if now_s >= proven_at_s:
        return Judgement(Verdict.PROVEN)
    return Judgement(until_s=proven_at_s)


def _deadline(desired: Desired, own: Seen, progress: Progress, now_s: float) -> Judgement:
    waits_for_image = any(pull.error or pull.note for pull in progress.pulls.values())
    if waits_for_image or progress.progressed_at_s is None:
        return Judgement()
    allowed_s = desired.score.progress_deadline_s
    if not progress.initialised:
        container = desired.score.init_containers[next_init(progress, desired, own)]
        found = own.find(Role.INIT, container.name)
        if found is not None and found.state is not RunState.EXITED:
            allowed_s = max(allowed_s, container.timeout)
    over_at_s = progress.progressed_at_s + allowed_s
    if now_s >= over_at_s:
        return Judgement(Verdict.GIVE_UP, why=f"made no progress for {allowed_s} s")
    return Judgement(until_s=over_at_s)
