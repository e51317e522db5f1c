"""Growing delays between attempts, with jitter, so that many do not come back at once."""

from __future__ import annotations

import random


class Delays:
    """Doubles from the first delay up to the longest, each spread by half of itself."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._base_s = first_s

    def next_s(self) -> float:
        """Return how long to wait before the next attempt."""
        base_s, self._base_s = self._base_s, min(self._base_s * 2, self._longest_s)
        return base_s * random.uniform(0.5, 1.5)

    def reset(self) -> None:
        """Begin again with the first delay."""
        self._base_s = self._first_s
