"""How far one batch is, and whether it has passed or failed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import BatchPhase
from fleet_core.contracts.shares import at_least, at_most
from fleet_core.operator.rollouts.observed import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.contracts.rollouts import Batch, BatchStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a batch has come to."""

    passed: bool = False
    failure: str = ""
    """Why it failed, as a word in CamelCase; empty where it did not."""
    message: str = ""


def counted(status: BatchStatus, total: int, outcomes: Iterable[Outcome]) -> BatchStatus:
    """Return a batch's status with the devices of the batch counted anew."""
    counts = Counter(outcomes)
    found = {outcome.value: counts[outcome] for outcome in Outcome}
    return status.model_copy(update={"total": total, **found})


def judge_batch(batch: Batch, status: BatchStatus, *, waiting: int, blocked: bool) -> Verdict:
    """Return what a batch has come to.

    Args:
        batch: what was asked of it.
        status: its devices, counted.
        waiting: how many of them have not been told yet.
        blocked: none of those can ever be told: failed devices take all the room there is.
    """
    failed = max(0, status.failed - status.forgiven)
    allowed = at_most(batch.error_threshold, status.total)
    if failed > allowed:
        message = f"{status.failed} of {status.total} failed, at most {allowed} may"
        return Verdict(failure="TooManyFailures", message=message)
    if status.phase is not BatchPhase.PROGRESSING:
        return Verdict(passed=True)
    if waiting and blocked:
        message = f"{waiting} wait for the {status.failed} that failed: maxUnavailable is reached"
        return Verdict(failure="MaxUnavailableReached", message=message)
    reachable = status.total - status.stranded - status.failed
    needed = at_least(batch.success_threshold, reachable)
    return Verdict(passed=not waiting and status.succeeded >= needed)
