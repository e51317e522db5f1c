"""What people tell a rollout, applied to its status. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_core.contracts.rollouts import BatchPhase, RolloutPhase, RolloutVerb
from fleet_core.operator.rollouts.membership import LAST_PLACE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_core.contracts.rollouts import BatchStatus, RolloutCommand, RolloutStatus

BY_USER = "PausedByUser"
BY_SPEC = "PausedBySpec"
BY_PEOPLE = (BY_USER, BY_SPEC)
"""Reasons of a pause that somebody wanted."""
_UNDER_WAY = (RolloutPhase.PROGRESSING, RolloutPhase.PAUSED)


def unseen(commands: Sequence[RolloutCommand], last_id: str) -> Sequence[RolloutCommand]:
    """Return the commands that come after the last one that was carried out."""
    ids = [command.id for command in commands]
    return commands[ids.index(last_id) + 1 :] if last_id in ids else commands


def obey(status: RolloutStatus, commands: Sequence[RolloutCommand], now: datetime) -> RolloutStatus:
    """Return the status once all commands that are new have been carried out."""
    for command in unseen(commands, status.last_command):
        if command.spec_hash == status.update.spec_hash:
            status = _obey_one(status, command.verb, now)
        status = _with(status, last_command=command.id)
    return status


def _obey_one(status: RolloutStatus, verb: RolloutVerb, now: datetime) -> RolloutStatus:
    under_way = status.phase in _UNDER_WAY
    match verb:
        case RolloutVerb.PAUSE if status.phase is RolloutPhase.PROGRESSING:
            status = _with(status, phase=RolloutPhase.PAUSED, reason=BY_USER, message="")
        case RolloutVerb.RESUME if status.phase is RolloutPhase.PAUSED:
            status = _resumed(status)
        case RolloutVerb.PROMOTE if under_way:
            status = promoted(_going(status), now)
        case RolloutVerb.PROMOTE_FULLY if under_way:
            status = _promoted_fully(_going(status), now)
        case RolloutVerb.ABORT if under_way:
            status = ended(status, RolloutPhase.ABORTED, "AbortedByUser", "", now)
        case RolloutVerb.REVERT if under_way or status.phase is RolloutPhase.ABORTED:
            status = reverted(status, "RevertedByUser", "", now)
    return status


def ended(
    status: RolloutStatus, phase: RolloutPhase, reason: str, message: str, now: datetime
) -> RolloutStatus:
    """Return a rollout that ended before all devices were told."""
    batches = [
        batch.model_copy(update={"phase": BatchPhase.SKIPPED})
        if batch.phase is BatchPhase.PENDING
        else batch
        for batch in status.batches
    ]
    told = {"batches": batches, "reason": reason, "message": message, "finished_at": now}
    return _with(status, phase=phase, **told)


def reverted(status: RolloutStatus, reason: str, message: str, now: datetime) -> RolloutStatus:
    """Return a rollout after which all devices have the version before again.

    Where nothing came before there is nothing to go back to: it is aborted.
    """
    if status.stable is None:
        message = f"{message}; there is no version before it to go back to".removeprefix("; ")
        return ended(status, RolloutPhase.ABORTED, reason, message, now)
    return _with(ended(status, RolloutPhase.REVERTED, reason, message, now), layers=[])


def promoted(status: RolloutStatus, now: datetime) -> RolloutStatus:
    """Return a rollout that does not wait for its present batch any more."""
    released = status.released
    if released.batch >= len(status.batches):
        return status
    batches = list(status.batches)
    present = batches[released.batch]
    awaited = present.phase is BatchPhase.AWAITING_PROMOTION
    phase = BatchPhase.SUCCEEDED if awaited else BatchPhase.SKIPPED
    done = {"phase": phase, "finished_at": now, "forgiven": present.failed}
    batches[released.batch] = present.model_copy(update=done)
    # One that was never begun has not been drawn up: with a count, nobody belongs to it.
    cuts = [*released.cuts, ""][: released.batch + 1]
    following = {"batch": released.batch + 1, "cut": "", "held": [], "cuts": cuts}
    return _with(status, batches=batches, released=released.model_copy(update=following))


def _promoted_fully(status: RolloutStatus, now: datetime) -> RolloutStatus:
    while status.released.batch < len(status.batches) - 1:
        status = promoted(status, now)
    cuts = [*status.released.cuts, *[LAST_PLACE] * len(status.batches)][: len(status.batches)]
    everyone = {"cut": LAST_PLACE, "held": [], "cuts": cuts}
    return _with(status, released=status.released.model_copy(update=everyone))


def _resumed(status: RolloutStatus) -> RolloutStatus:
    batches = list(status.batches)
    index = status.released.batch
    if index < len(batches) and batches[index].phase is BatchPhase.FAILED:
        batches[index] = _forgiven(batches[index])
    return _with(_going(status), batches=batches)


def _forgiven(batch: BatchStatus) -> BatchStatus:
    phase = BatchPhase.SOAKING if batch.soaking_since is not None else BatchPhase.PROGRESSING
    return batch.model_copy(update={"phase": phase, "forgiven": batch.failed})


def _going(status: RolloutStatus) -> RolloutStatus:
    return _with(status, phase=RolloutPhase.PROGRESSING, reason="", message="")


def _with(status: RolloutStatus, **update: Any) -> RolloutStatus:
    return status.model_copy(update=update)
