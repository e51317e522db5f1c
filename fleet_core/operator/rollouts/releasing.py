"""Telling more devices of a batch to update, within what may be unavailable at a time. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import MAX_HELD
from fleet_core.contracts.shares import at_most
from fleet_core.operator.rollouts.observed import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fleet_core.contracts.rollouts import Released, Rollout
    from fleet_core.operator.aggregation import Standing
    from fleet_core.operator.rollouts.observed import Observed


@dataclass(slots=True)
class Room:
    """How many more devices may become unavailable, overall and in each group."""

    overall: int
    group_by: str | None
    groups: dict[str, int]

    @classmethod
    def of(
        cls,
        rollout: Rollout,
        devices: Iterable[Observed],
        told: Mapping[str, Outcome],
        forgiven: int,
    ) -> Room:
        """Return the room that is left, given what the devices told so far count as.

        Once a person has forgiven all failures there are, those devices take no room any more.
        """
        failed = sum(outcome is Outcome.FAILED for outcome in told.values())
        taking = {Outcome.IN_FLIGHT} if forgiven >= failed else {Outcome.IN_FLIGHT, Outcome.FAILED}
        total = unavailable = 0
        sizes: Counter[str] = Counter()
        busy: Counter[str] = Counter()
        for device in devices:
            group = device.labels.get(rollout.group_by or "", "")
            total += 1
            sizes[group] += 1
            if told.get(device.device) in taking:
                unavailable += 1
                busy[group] += 1
        limit = rollout.max_unavailable_per_group
        return cls(
            overall=max(1, at_most(rollout.max_unavailable, total)) - unavailable,
            group_by=rollout.group_by,
            groups={
                group: max(1, at_most(limit, size)) - busy[group] for group, size in sizes.items()
            },
        )

    def allows(self, device: Observed) -> bool:
        """Tell whether the device's group has room."""
        return self.group_by is None or self.groups[self._group(device)] > 0

    def take(self, device: Observed) -> None:
        """Take the room of a device."""
        self.overall -= 1
        self.groups[self._group(device)] -= 1

    def _group(self, device: Observed) -> str:
        return device.labels.get(self.group_by or "", "")


def release_more(
    released: Released, members: Sequence[Observed], room: Room, costless: frozenset[Standing]
) -> Released:
    """Return who has been told once all are told for whom there is room.

    Args:
        released: who has been told so far.
        members: the devices of the present batch, in the order of their places.
        room: what may become unavailable; used up.
        costless: standings of devices that take no room: they run it already, or are out of reach.
    """
    cut = released.cut
    held: list[str] = []
    was_held = set(released.held)
    for device in members:
        if device.place <= released.cut and device.device not in was_held:
            continue
        free = device.standing in costless
        if free or (room.overall > 0 and room.allows(device)):
            if not free:
                room.take(device)
        elif device.place <= released.cut or (room.overall > 0 and len(held) < MAX_HELD):
            held.append(device.device)
        else:
            break
        cut = max(cut, device.place)
    return released.model_copy(update={"cut": cut, "held": held})
