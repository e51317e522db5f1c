"""Work on a rollout that nobody holds: batches begun, devices told, batches judged. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fleet_core.contracts.rollouts import BatchPhase, OnFailure, Released, RolloutPhase
from fleet_core.contracts.shares import at_least
from fleet_core.operator.aggregation import Standing
from fleet_core.operator.rollouts.batches import counted, judge_batch
from fleet_core.operator.rollouts.commands import ended, reverted
from fleet_core.operator.rollouts.membership import (
    LAST_PLACE,
    all_batches,
    batch_of,
    is_told,
)
from fleet_core.operator.rollouts.observed import Outcome, outcome_of
from fleet_core.operator.rollouts.releasing import Room, release_more

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_core.contracts.rollouts import Batch, BatchStatus, Rollout, RolloutStatus
    from fleet_core.operator.rollouts.observed import Observed

_COSTLESS = frozenset((Standing.SUCCEEDED, Standing.OFFLINE))


class Progress:
    """One look at the devices."""

    def __init__(self, rollout: Rollout, devices: Sequence[Observed], now: datetime) -> None:
        self._rollout = rollout
        self._devices = devices
        self._now = now
        self._known_for: list[str] = []
        self._known_indices: list[int] | None = None

    def recount(self, status: RolloutStatus) -> RolloutStatus:
        """Return a paused rollout with the devices of its present batch counted."""
        index = status.released.batch
        if index < len(status.batches) and status.batches[index].phase is not BatchPhase.PENDING:
            members = self._members(status, index)
            return self._counted(status, members, self._outcomes(status))
        return status

    def advance(self, status: RolloutStatus) -> RolloutStatus:
        """Return how far a rollout is that nobody holds."""
        while (index := status.released.batch) < len(status.batches):
            if status.batches[index].phase is BatchPhase.PENDING:
                status = self._drawn_up(status)
            status = self._worked_on(status)
            if status.phase is not RolloutPhase.PROGRESSING or status.released.batch == index:
                return status
        return _completed(status, self._now)

    def _drawn_up(self, status: RolloutStatus) -> RolloutStatus:
        """Return the status with the present batch begun: it is fixed now who belongs to it."""
        released, index = status.released, status.released.batch
        batch = released.batches[index]
        cut = LAST_PLACE
        if batch.count is not None:
            places = [device.place for device in self._candidates(status, index)]
            count = max(1, at_least(batch.count, len(self._devices)))
            cut = places[count - 1] if count <= len(places) else LAST_PLACE
        cuts = [*released.cuts[:index], cut]
        begun = {"phase": BatchPhase.PROGRESSING, "started_at": self._now}
        return status.model_copy(
            update={
                "released": released.model_copy(update={"cuts": cuts}),
                "batches": _replaced(status.batches, index, begun),
            }
        )

    def _indices(self, released: Released) -> list[int]:
        """Return the index of each device's batch; it changes only as batches are drawn up.

        10,000 devices are looked at several times in a step, and finding this is most of its cost.
        """
        if self._known_for != released.cuts or self._known_indices is None:
            self._known_for = released.cuts
            self._known_indices = [
                batch_of(released, device.labels, device.place) for device in self._devices
            ]
        return self._known_indices

    def _candidates(self, status: RolloutStatus, index: int) -> list[Observed]:
        """Return the devices that a batch takes that is about to be drawn up."""
        undrawn = status.released.batches[index].model_copy(update={"count": None})
        batches = [*status.released.batches[:index], undrawn]
        released = status.released.model_copy(
            update={"batches": batches, "cuts": status.released.cuts[:index]}
        )
        return [
            device
            for device in self._devices
            if batch_of(released, device.labels, device.place) == index
        ]

    def _members(self, status: RolloutStatus, index: int) -> list[Observed]:
        indices = self._indices(status.released)
        return [device for device, at in zip(self._devices, indices, strict=True) if at == index]

    def _outcomes(self, status: RolloutStatus) -> dict[str, Outcome]:
        """Return what each device counts as that was told."""
        deadline_s, now_s = self._rollout.device_deadline_seconds, self._now.timestamp()
        released = status.released
        indices = self._indices(released)
        return {
            device.device: outcome_of(device, deadline_s, now_s)
            for device, index in zip(self._devices, indices, strict=True)
            if is_told(released, index, device.device, device.place)
        }

    def _worked_on(self, status: RolloutStatus) -> RolloutStatus:
        """Return the status with more devices of the present batch told, and the batch judged."""
        index = status.released.batch
        members = self._members(status, index)
        outcomes = self._outcomes(status)
        blocked = False
        if status.batches[index].phase is BatchPhase.PROGRESSING:
            forgiven = sum(batch.forgiven for batch in status.batches)
            room = Room.of(self._rollout, self._devices, outcomes, forgiven)
            released = release_more(status.released, members, room, _COSTLESS)
            nobody_new = released == status.released
            status = status.model_copy(update={"released": released})
            outcomes = self._outcomes(status)
            blocked = nobody_new and Outcome.IN_FLIGHT not in outcomes.values()
        status = self._counted(status, members, outcomes)
        waiting = sum(device.device not in outcomes for device in members)
        verdict = judge_batch(
            self._spec_of(index), status.batches[index], waiting=waiting, blocked=blocked
        )
        if verdict.failure:
            return self._failed(status, verdict.failure, verdict.message)
        return self._passed(status) if verdict.passed else status

    def _spec_of(self, index: int) -> Batch:
        """Return a batch as it is asked for now: its thresholds may be others than at first."""
        return all_batches(self._rollout)[index]

    def _counted(
        self, status: RolloutStatus, members: Sequence[Observed], outcomes: dict[str, Outcome]
    ) -> RolloutStatus:
        index = status.released.batch
        told = [outcomes[device.device] for device in members if device.device in outcomes]
        batches = list(status.batches)
        batches[index] = counted(batches[index], len(members), told)
        return status.model_copy(update={"batches": batches})

    def _failed(self, status: RolloutStatus, reason: str, message: str) -> RolloutStatus:
        index = status.released.batch
        message = f"batch {status.batches[index].name}: {message}"
        batches = _replaced(status.batches, index, {"phase": BatchPhase.FAILED})
        status = status.model_copy(update={"batches": batches})
        match self._rollout.on_failure:
            case OnFailure.PAUSE:
                told = {"phase": RolloutPhase.PAUSED, "reason": reason, "message": message}
                return status.model_copy(update=told)
            case OnFailure.ABORT:
                return ended(status, RolloutPhase.ABORTED, reason, message, self._now)
            case OnFailure.REVERT:
                return reverted(status, reason, message, self._now)

    def _passed(self, status: RolloutStatus) -> RolloutStatus:
        """Return the status with a healthy batch soaking, waiting for a person, or done."""
        index = status.released.batch
        batch, asked = status.batches[index], self._spec_of(index)
        since = batch.soaking_since or self._now
        soaked = self._now >= since + timedelta(seconds=asked.soak_seconds) or not batch.total
        if not soaked:
            update: dict[str, Any] = {"phase": BatchPhase.SOAKING, "soaking_since": since}
        elif asked.needs_promotion:
            update = {"phase": BatchPhase.AWAITING_PROMOTION, "soaking_since": since}
        else:
            update = {"phase": BatchPhase.SUCCEEDED, "finished_at": self._now}
            following = {"batch": index + 1, "cut": "", "held": []}
            released = status.released.model_copy(update=following)
            status = status.model_copy(update={"released": released})
        batches = _replaced(status.batches, index, update)
        return status.model_copy(update={"batches": batches})


def _replaced(
    batches: Sequence[BatchStatus], index: int, update: dict[str, Any]
) -> list[BatchStatus]:
    changed = list(batches)
    changed[index] = changed[index].model_copy(update=update)
    return changed


def _completed(status: RolloutStatus, now: datetime) -> RolloutStatus:
    return status.model_copy(
        update={
            "phase": RolloutPhase.COMPLETED,
            "stable": status.update,
            "layers": [],
            "released": Released(),
            "finished_at": now,
        }
    )
