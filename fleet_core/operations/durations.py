"""Durations as people write and read them: ``90s``, ``10m``, ``2h``, ``3d``."""

from __future__ import annotations

import re
from typing import Final

from fleet_core.errors import InvalidInputError

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)


def parse_duration(text: str) -> int:
    """Return whole seconds; a bare number is seconds.

    Raises:
        InvalidInputError: not a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        expected = "a number with s, m, h or d, as 10m"
        raise InvalidInputError(f"{text[:32]!r} is no duration", expected=expected, remedy=expected)
    return int(match[1]) * _UNITS[match[2] or "s"]


def duration_text(seconds: float) -> str:
    """Return a duration in its largest unit that keeps at least two of it: ``90s``, ``3h``."""
    whole = max(0, int(seconds))
    for unit in ("d", "h", "m"):
        if whole >= 2 * _UNITS[unit]:
            return f"{whole // _UNITS[unit]}{unit}"
    return f"{whole}s"
