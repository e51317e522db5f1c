"""The lines of one or several followed logs, merged by time and bounded. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LINES: Final = 20_000
TRIM_TO: Final = 18_000
_STAMP_MAX_CHARS: Final = 40
_AT = attrgetter("at_s")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log, or what is to be told between its lines."""

    at_s: float
    """Unix seconds by the device's clock; that of the line before where it has none."""
    stamp: str
    """The time as the device wrote it."""
    device: str
    text: str
    style: str = "text"


@dataclass(slots=True)
class _Told:
    """What is known of one device's log."""

    last_s: float = 0.0
    newest: list[str] = field(default_factory=list)
    """The lines of the last moment, to know them again."""


class LogBook:
    """Lines in the order of their times; those of one device never change places."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.dropped = 0
        """Lines that were let go because there were too many."""
        self._told: dict[str, _Told] = {}

    def add(self, device: str, texts: Sequence[str], *, again: bool = False) -> int:
        """Take lines that begin with their times; return the first place that has changed.

        Args:
            device: whose log.
            texts: the lines, oldest first.
            again: they begin anew, as after a device's restart: what is known is left out.
        """
        told = self._told.setdefault(device, _Told())
        known_s, known = told.last_s, list(told.newest)
        fresh = []
        for each in texts:
            at_s, stamp, text = split_stamp(each)
            if (
                again
                and at_s is not None
                and (at_s < known_s or (at_s == known_s and text in known))
            ):
                continue
            fresh.append(self._next(told, device, at_s, stamp, text))
        return self._merge(fresh)

    def note(self, device: str, text: str, style: str) -> int:
        """Tell something at this place of a device's log."""
        told = self._told.setdefault(device, _Told())
        at_s = told.last_s or (self.lines[-1].at_s if self.lines else 0.0)
        return self._merge([LogLine(at_s, "", device, text, style)])

    @staticmethod
    def _next(told: _Told, device: str, at_s: float | None, stamp: str, text: str) -> LogLine:
        """Return a line that stands after all others of its device, whatever its clock does."""
        at_s = told.last_s if at_s is None else max(at_s, told.last_s)
        if at_s > told.last_s:
            told.last_s = at_s
            told.newest.clear()
        if len(told.newest) < MAX_LINES:
            told.newest.append(text)
        return LogLine(at_s, stamp, device, text)

    def _merge(self, fresh: list[LogLine]) -> int:
        if not fresh:
            return len(self.lines)
        first = bisect_right(self.lines, fresh[0].at_s, key=_AT)
        # Stable: lines of the same moment stay in the order in which they came.
        self.lines[first:] = sorted([*self.lines[first:], *fresh], key=_AT)
        if len(self.lines) <= MAX_LINES:
            return first
        excess = len(self.lines) - TRIM_TO
        self.dropped += excess
        del self.lines[:excess]
        return 0


def split_stamp(line: str) -> tuple[float | None, str, str]:
    """Return the Unix time that a line begins with, as it stands there too, and the rest.

    A line without one gives None, and is left as it is.
    """
    stamp, _, text = line.partition(" ")
    if len(stamp) > _STAMP_MAX_CHARS or "T" not in stamp:
        return None, "", line
    try:
        at = datetime.fromisoformat(stamp)
        # A device that writes no zone means UTC, as the agent does.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), stamp, text
    except (ValueError, OverflowError):
        return None, "", line
