"""When a program that ended is started again, and when it is given up: pure decisions."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW_S: Final = 60.0
MAX_EXITS: Final = 5
"""So many ends within `WINDOW_S` are a crash loop; systemd's default is 5 within 10 s."""
FIRST_DELAY_S: Final = 0.25
MAX_DELAY_S: Final = 2.0


def restart_delay_s(exits_at_s: Iterable[float], now_s: float) -> float | None:
    """Return how long to wait before starting it again; None: give it up.

    The first restart comes at once, later ones with doubling delays; ends older than `WINDOW_S` are
    forgotten. Times are monotonic seconds.
    """
    recent = sum(now_s - exit_at < WINDOW_S for exit_at in exits_at_s)
    if recent >= MAX_EXITS:
        return None
    if recent <= 1:
        return 0.0
    return min(FIRST_DELAY_S * 2.0 ** (recent - 2), MAX_DELAY_S)


def describe_exit(code: int) -> str:
    """Return an exit code in words; a negative one is the signal that ended the process."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"
