"""The heartbeats of one device since somebody began to look, as a strip of marks. Pure."""

from __future__ import annotations

from typing import Final

BEAT: Final = "▮"
MISSED: Final = "·"
KEPT: Final = 28
"""Marks: as many as fit beside the name of a fact."""
_LATE: Final = 1.5
"""From so many intervals without one on, a heartbeat is missing."""


class HeartbeatStrip:
    """A mark for each heartbeat, and for each that should have come.

    The read model keeps no history: there is one for as long as somebody looks. Whoever looks away
    for longer than an interval starts anew, since what came meanwhile is not known.
    """

    def __init__(self) -> None:
        self._marks = ""
        self._seen_s = 0.0
        self._looked_at_s = 0.0

    def look(self, now_s: float, seen_s: float, interval_s: float) -> str:
        """Return the strip.

        Args:
            now_s: the server's present, Unix seconds.
            seen_s: when the last heartbeat came, Unix seconds; 0: never.
            interval_s: how often one should come.
        """
        if now_s - self._looked_at_s > interval_s:
            self._marks, self._seen_s = "", 0.0
        self._looked_at_s = now_s
        if seen_s > self._seen_s:
            missed = round((seen_s - self._seen_s) / interval_s) - 1 if self._seen_s else 0
            self._marks += MISSED * min(max(missed, 0), KEPT) + BEAT
            self._seen_s = seen_s
        late = (now_s - seen_s) / interval_s if seen_s else 0.0
        missing = MISSED * min(int(late), KEPT) if late >= _LATE else ""
        self._marks = self._marks[-KEPT:]
        return f"{self._marks}{missing}"[-KEPT:]
