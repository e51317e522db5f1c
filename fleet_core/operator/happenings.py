"""What happened to a Deployment between two statuses, for people: logged, and told as Events. Pure.

The reasons are words in CamelCase, as in Kubernetes' own Events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.resources import ConditionType
from fleet_core.contracts.rollouts import BatchPhase, RolloutPhase
from fleet_core.operator.rollouts.commands import BY_PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleet_core.contracts.resources import Condition, DeploymentStatus
    from fleet_core.contracts.rollouts import BatchStatus, RolloutStatus

_PHASE_REASONS: Final = {
    RolloutPhase.PAUSED: "RolloutPaused",
    RolloutPhase.COMPLETED: "RolloutCompleted",
    RolloutPhase.ABORTED: "RolloutAborted",
    RolloutPhase.REVERTED: "RolloutReverted",
}
_WARNING_PHASES: Final = (RolloutPhase.ABORTED, RolloutPhase.REVERTED)
_BATCH_REASONS: Final = {BatchPhase.SUCCEEDED: "BatchSucceeded", BatchPhase.FAILED: "BatchFailed"}
_TOLD_DEGRADED: Final = ("InvalidSpec", "NameConflict", "DevicesFailing")
"""Of what degrades a Deployment, what no rollout tells."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that people would look for."""

    reason: str
    message: str
    is_warning: bool = False


LET_GO: Final = Happening(
    "Deleted", "it is gone from the devices; those that stayed out of reach were given up"
)


def happenings(before: DeploymentStatus | None, after: DeploymentStatus) -> list[Happening]:
    """Return what happened between a stored status and the one stored after it."""
    rollout = before.rollout if before is not None else None
    told = list(_of_rollout(rollout, after.rollout)) if after.rollout is not None else []
    degraded = _degraded(after.conditions)
    known = _degraded(before.conditions) if before is not None else None
    if (
        degraded is not None
        and degraded.reason in _TOLD_DEGRADED
        and (known is None or (known.reason, known.message) != (degraded.reason, degraded.message))
    ):
        told.append(Happening(degraded.reason, degraded.message or _failing(after), True))
    return told


def _degraded(conditions: Sequence[Condition]) -> Condition | None:
    return next(
        (
            condition
            for condition in conditions
            if condition.type == ConditionType.DEGRADED and condition.status == "True"
        ),
        None,
    )


def _failing(status: DeploymentStatus) -> str:
    counts, error = status.aggregate, status.aggregate.last_error
    words = f"{counts.failed} of {counts.matched_device_count} devices fail"
    return f"{words}; {error.device_id}: {error.message}" if error is not None else words


def _of_rollout(before: RolloutStatus | None, after: RolloutStatus) -> Iterator[Happening]:
    version = f"revision {after.update.number} ({after.update.spec_hash})"
    is_new = before is None or before.update != after.update
    if is_new and after.phase is RolloutPhase.COMPLETED:
        yield Happening("Updated", f"{version} is told to all devices at once")
        return
    if is_new:
        yield Happening("RolloutStarted", f"{version}, {len(after.batches)} batches")
    known = {} if before is None or is_new else {each.name: each.phase for each in before.batches}
    for batch in after.batches:
        reason = _BATCH_REASONS.get(batch.phase)
        if reason is not None and known.get(batch.name) is not batch.phase:
            yield Happening(reason, _counts(batch), batch.phase is BatchPhase.FAILED)
    if before is not None and not is_new and before.phase is after.phase:
        return
    reason = _PHASE_REASONS.get(after.phase)
    if reason is not None:
        words = ": ".join(filter(None, (version, after.message or after.reason)))
        by_failure = after.phase is RolloutPhase.PAUSED and after.reason not in BY_PEOPLE
        yield Happening(reason, words, after.phase in _WARNING_PHASES or by_failure)
    elif before is not None and before.phase is RolloutPhase.PAUSED and not is_new:
        yield Happening("RolloutResumed", version)


def _counts(batch: BatchStatus) -> str:
    counts = (
        ("failed", batch.failed),
        ("offline", batch.offline),
        ("stranded", batch.stranded),
    )
    more = "".join(f", {count} {name}" for name, count in counts if count)
    return f"batch {batch.name}: {batch.succeeded} of {batch.total} devices run it{more}"
