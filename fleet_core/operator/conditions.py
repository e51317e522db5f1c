"""The conditions of a Deployment, in Kubernetes' way: one word, true or false, since when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeGuard

from fleet_core.contracts.resources import Condition, ConditionType
from fleet_core.contracts.rollouts import RolloutPhase
from fleet_core.operator.rollouts.commands import BY_PEOPLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_core.contracts.resources import Aggregate
    from fleet_core.contracts.rollouts import RolloutStatus

_STOPPED: Final = (RolloutPhase.ABORTED, RolloutPhase.REVERTED)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions are told from."""

    aggregate: Aggregate
    generation: int
    """Of the spec that was observed."""
    rollout: RolloutStatus | None = None
    refused: str = ""
    """Why the spec, as it stands, cannot be read; empty where it can."""
    disputed_with: str = ""
    """An older Deployment that has the same name on some of the devices."""


class _Word(NamedTuple):
    holds: bool
    reason: str
    message: str = ""


def conditions(facts: Facts, before: Sequence[Condition], now: datetime) -> list[Condition]:
    """Return all conditions; one that says the same as before keeps its transition time."""
    told = {
        ConditionType.READY: _ready(facts),
        ConditionType.PROGRESSING: _progressing(facts),
        ConditionType.DEGRADED: _degraded(facts),
        ConditionType.PAUSED: _paused(facts),
    }
    known = {condition.type: condition for condition in before}
    return [
        _condition(type_, word, known.get(type_), facts.generation, now)
        for type_, word in told.items()
    ]


def _condition(
    type_: ConditionType, word: _Word, before: Condition | None, generation: int, now: datetime
) -> Condition:
    status: Literal["True", "False"] = "True" if word.holds else "False"
    same = before is not None and before.status == status
    return Condition(
        type=type_.value,
        status=status,
        reason=word.reason,
        message=word.message,
        last_transition_time=before.last_transition_time if before is not None and same else now,
        observed_generation=generation,
    )


def _ready(facts: Facts) -> _Word:
    counts = facts.aggregate
    if facts.refused:
        return _Word(False, "InvalidSpec", facts.refused)
    if facts.rollout is not None and facts.rollout.phase is not RolloutPhase.COMPLETED:
        return _Word(False, f"Rollout{facts.rollout.phase}")
    if not counts.matched_device_count:
        return _Word(True, "NoDevices", "the selector matches no device")
    if counts.failed or counts.pending:
        return _Word(False, "DevicesFailing" if counts.failed else "DevicesPending")
    if counts.offline == counts.matched_device_count:
        return _Word(False, "DevicesOffline", "no device can be reached")
    return _Word(True, "DevicesRunning")


def _progressing(facts: Facts) -> _Word:
    rollout = facts.rollout
    if rollout is not None and rollout.phase is RolloutPhase.PROGRESSING:
        return _Word(True, "RolloutProgressing", _present_batch(rollout))
    if rollout is not None and rollout.phase is not RolloutPhase.COMPLETED:
        return _Word(False, f"Rollout{rollout.phase}", rollout.message)
    if facts.aggregate.pending:
        return _Word(True, "DevicesPending")
    return _Word(False, "RolloutComplete")


def _present_batch(rollout: RolloutStatus) -> str:
    index = rollout.released.batch
    if index >= len(rollout.batches):
        return ""
    return f"batch {rollout.batches[index].name}, {index + 1} of {len(rollout.batches)}"


def _degraded(facts: Facts) -> _Word:
    rollout = facts.rollout
    if facts.refused:
        return _Word(True, "InvalidSpec", facts.refused)
    if facts.disputed_with:
        message = f"{facts.disputed_with} is older and has this name on some of the devices"
        return _Word(True, "NameConflict", message)
    if rollout is not None and rollout.phase in _STOPPED:
        return _Word(True, f"Rollout{rollout.phase}", rollout.message or rollout.reason)
    if _was_paused_by_failure(rollout):
        return _Word(True, rollout.reason or "BatchFailed", rollout.message)
    if facts.aggregate.failed:
        return _Word(True, "DevicesFailing")
    return _Word(False, "AsExpected")


def _was_paused_by_failure(rollout: RolloutStatus | None) -> TypeGuard[RolloutStatus]:
    if rollout is None or rollout.phase is not RolloutPhase.PAUSED:
        return False
    return rollout.reason not in BY_PEOPLE


def _paused(facts: Facts) -> _Word:
    rollout = facts.rollout
    if rollout is not None and rollout.phase is RolloutPhase.PAUSED:
        return _Word(True, rollout.reason or "Paused", rollout.message)
    return _Word(False, "NotPaused")
