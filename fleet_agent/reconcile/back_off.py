"""The kubelet's back-off: how long a container or an image pull waits before it is tried again.

The first restart comes at once, later ones wait 10 s, doubling up to 300 s; ten minutes of clean
running start the count anew. A container that exits at once is thus restarted after
0, 10, 30, 70, 150 and 310 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

INITIAL_DELAY_S: Final = 10.0
MAX_DELAY_S: Final = 300.0
RESET_AFTER_S: Final = 600.0
"""Clean running of this long forgets all earlier failures: twice `MAX_DELAY_S`."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """How often it ended in a row, and the moment before which it is not tried again."""

    ends: int = 0
    not_before_s: float = 0.0
    """On the monotonic clock."""

    def after_end(self, ended_at_s: float, ran_for_s: float) -> BackOff:
        """Return the back-off after a run that ended at ``ended_at_s`` (monotonic seconds)."""
        ends = 1 if ran_for_s >= RESET_AFTER_S else self.ends + 1
        return BackOff(ends, ended_at_s + delay_s(ends))

    def remaining_s(self, now_s: float) -> float:
        """Return how many seconds of waiting are left; 0 when it may be tried."""
        return max(0.0, self.not_before_s - now_s)


def delay_s(ends: int) -> float:
    """Return the seconds to wait after so many ends in a row."""
    if ends <= 1:
        return 0.0
    doublings = min(ends - 2, 16)  # beyond the longest delay long before
    return min(MAX_DELAY_S, INITIAL_DELAY_S * 2.0**doublings)
