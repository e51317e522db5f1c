"""Whether a device is there: judged by when the server received its heartbeats, never by its clock.

A device is *online* while its last heartbeat is younger than `STALE_AFTER` intervals, *stale* after
that (two heartbeats and half an interval of patience are gone), and *offline* after
`OFFLINE_AFTER`. A device that was stale or offline and whose heartbeats still come late stays
stale until two in a row came in time: a link that drops every other heartbeat does not flap.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

STALE_AFTER: Final = 2.5
"""Intervals without a heartbeat."""
OFFLINE_AFTER: Final = 10.0
"""Intervals without a heartbeat: five minutes at the default interval."""


class Health(IntEnum):
    """What is known of a device's presence; ordered by how much it wants attention."""

    ONLINE = 0
    STALE = 1
    OFFLINE = 2
    UNKNOWN = 3
    """It never sent a heartbeat."""

    @property
    def word(self) -> str:
        """The word shown for it."""
        return self.name.lower()


def health(age_s: float, interval_s: float, gap_s: float | None, previous: Health) -> Health:
    """Judge a device.

    Args:
        age_s: since its last heartbeat.
        interval_s: between its heartbeats, as it was told to send them.
        gap_s: between its last two heartbeats; None where there was one only.
        previous: how it was judged before.
    """
    if age_s > OFFLINE_AFTER * interval_s:
        return Health.OFFLINE
    if age_s > STALE_AFTER * interval_s:
        return Health.STALE
    came_late = gap_s is not None and gap_s > STALE_AFTER * interval_s
    if came_late and previous in (Health.STALE, Health.OFFLINE):
        return Health.STALE
    return Health.ONLINE


def next_change_s(age_s: float, interval_s: float) -> float | None:
    """Return in how many seconds silence alone would change the judgement; None: never."""
    for threshold in (STALE_AFTER, OFFLINE_AFTER):
        if age_s <= threshold * interval_s:
            return threshold * interval_s - age_s
    return None
