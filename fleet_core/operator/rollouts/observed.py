"""What the engine sees of a device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from fleet_core.operator.aggregation import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Observed:
    """A device that the Deployment selects."""

    device: str
    place: str
    """Among the others: `membership.place_of`."""
    labels: Mapping[str, str]
    standing: Standing
    """What it counts as, measured by the version that is rolled out."""
    told_s: float | None = None
    """When the version that is rolled out was stored for it, Unix seconds; None: it is not."""
    online_since_s: float = 0.0
    """Since when it can be reached; Unix seconds."""


class Outcome(Enum):
    """What a device that was told counts as in its batch."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    IN_FLIGHT = "in_flight"
    OFFLINE = "offline"
    STRANDED = "stranded"


def outcome_of(device: Observed, deadline_s: float, now_s: float) -> Outcome:
    """Return what a device that was told counts as.

    The time that a device was out of reach is not held against it: its deadline begins anew when
    it comes back.
    """
    match device.standing:
        case Standing.SUCCEEDED:
            return Outcome.SUCCEEDED
        case Standing.FAILED:
            return Outcome.FAILED
        case Standing.OFFLINE:
            overdue = device.told_s is not None and now_s >= device.told_s + deadline_s
            return Outcome.STRANDED if overdue else Outcome.OFFLINE
        case Standing.PENDING:
            if device.told_s is None:
                return Outcome.IN_FLIGHT
            began_s = max(device.told_s, device.online_since_s)
            return Outcome.FAILED if now_s >= began_s + deadline_s else Outcome.IN_FLIGHT
