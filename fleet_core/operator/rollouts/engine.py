"""One step of a rollout: from what was asked and what is seen, to how far it is now. Pure.

Everything a rollout must know stands in its status, so that whoever has the status can go on with
it. Nothing that a step decides may be acted on before the status that says so is stored: an
operator that is killed in between decides the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import (
    REVISION_HISTORY_LIMIT,
    BatchStatus,
    Layer,
    Released,
    RolloutPhase,
    RolloutStatus,
    Strategy,
)
from fleet_core.operator.rollouts.commands import BY_SPEC, obey
from fleet_core.operator.rollouts.membership import all_batches, same_batches
from fleet_core.operator.rollouts.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_core.contracts.rollouts import RevisionRef, Rollout, RolloutCommand
    from fleet_core.operator.rollouts.observed import Observed


@dataclass(frozen=True, slots=True)
class Order:
    """What people ask for."""

    rollout: Rollout
    update: RevisionRef
    """The version that the spec names."""
    commands: Sequence[RolloutCommand] = ()


def step(
    status: RolloutStatus | None, order: Order, devices: Sequence[Observed], now: datetime
) -> RolloutStatus:
    """Return how far a rollout is.

    Args:
        status: how far it was; None for a Deployment that never had one.
        order: what is asked for.
        devices: all that the Deployment selects, in the order of their places.
        now: the present moment.
    """
    status = _taken_up(status, order, now)
    status = obey(status, order.commands, now)
    status = _paused_by_spec(status, order.rollout)
    if status.phase is RolloutPhase.PROGRESSING:
        return Progress(order.rollout, devices, now).advance(status)
    if status.phase is RolloutPhase.PAUSED:
        return Progress(order.rollout, devices, now).recount(status)
    return status


def is_under_way(status: RolloutStatus | None) -> bool:
    """Tell whether a rollout has to be looked at as time passes."""
    return status is not None and status.phase in (RolloutPhase.PROGRESSING, RolloutPhase.PAUSED)


def _taken_up(status: RolloutStatus | None, order: Order, now: datetime) -> RolloutStatus:
    """Return the status of the rollout that is asked for: the one before, or a new one."""
    if order.rollout.strategy is Strategy.IMMEDIATE:
        return _immediate(status, order, now)
    if status is None:
        return _begun(order, None, [], now)
    same = status.update.spec_hash == order.update.spec_hash
    if not is_under_way(status):
        if same:
            return status
        aborted = status.phase is RolloutPhase.ABORTED
        return _begun(order, status, _layers(status) if aborted else [], now)
    if same and same_batches(status.released.batches, all_batches(order.rollout)):
        return status
    return _begun(order, status, _layers(status), now)


def _immediate(status: RolloutStatus | None, order: Order, now: datetime) -> RolloutStatus:
    """Return the status where all devices have the version of the spec, from now on."""
    if (
        status is not None
        and status.phase is RolloutPhase.COMPLETED
        and (status.update.spec_hash == order.update.spec_hash)
    ):
        return status
    last = status.last_command if status is not None else ""
    return RolloutStatus(
        update=order.update, stable=order.update, last_command=last, started_at=now, finished_at=now
    )


def _begun(
    order: Order, before: RolloutStatus | None, layers: list[Layer], now: datetime
) -> RolloutStatus:
    batches = all_batches(order.rollout)
    return RolloutStatus(
        phase=RolloutPhase.PROGRESSING,
        update=order.update,
        stable=before.stable if before is not None else None,
        layers=layers[:REVISION_HISTORY_LIMIT],
        released=Released(batches=batches),
        batches=[BatchStatus(name=batch.name) for batch in batches],
        last_command=before.last_command if before is not None else "",
        started_at=now,
    )


def _layers(status: RolloutStatus) -> list[Layer]:
    told_any = status.released.batch > 0 or status.released.cut
    top = [Layer(revision=status.update, released=status.released)] if told_any else []
    return [*top, *status.layers]


def _paused_by_spec(status: RolloutStatus, rollout: Rollout) -> RolloutStatus:
    if rollout.paused and status.phase is RolloutPhase.PROGRESSING:
        return status.model_copy(update={"phase": RolloutPhase.PAUSED, "reason": BY_SPEC})
    if not rollout.paused and status.reason == BY_SPEC and status.phase is RolloutPhase.PAUSED:
        return status.model_copy(update={"phase": RolloutPhase.PROGRESSING, "reason": ""})
    return status
