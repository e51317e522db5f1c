"""Which version each device is to have, while a rollout is under way and after it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import RolloutPhase
from fleet_core.operator.rollouts.membership import was_told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.rollouts import RevisionRef, RolloutStatus

_ONE_FOR_ALL = (RolloutPhase.COMPLETED, RolloutPhase.REVERTED)


def version_for_all(status: RolloutStatus) -> RevisionRef | None:
    """Return the version that all devices are to have; None where it depends on the device."""
    return status.stable if status.phase in _ONE_FOR_ALL else None


def version_of(
    status: RolloutStatus, device: str, labels: Mapping[str, str], place: str
) -> RevisionRef | None:
    """Return the version that a device is to have.

    None means none yet: it was not told of the first version, and nothing came before.
    """
    if status.phase in _ONE_FOR_ALL:
        return status.stable
    if was_told(status.released, device, labels, place):
        return status.update
    for layer in status.layers:
        if was_told(layer.released, device, labels, place):
            return layer.revision
    return status.stable


def assigns_alike(one: RolloutStatus | None, other: RolloutStatus | None) -> bool:
    """Tell whether two statuses give every device the same version."""
    if one is None or other is None:
        return one is other
    if one.phase in _ONE_FOR_ALL and other.phase in _ONE_FOR_ALL:
        return one.stable == other.stable
    return (
        (one.phase in _ONE_FOR_ALL) == (other.phase in _ONE_FOR_ALL)
        and one.update == other.update
        and one.stable == other.stable
        and one.layers == other.layers
        and one.released == other.released
    )
