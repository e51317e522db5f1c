"""The clock: that its year can be right, and whether anything keeps it right."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from fleet_agent.device.checks.commands import ask
from fleet_agent.device.checks.finding import Finding, Subject, fail, ok, skip, warn
from fleet_core.errors import FleetError

_ABOUT: Final = "clock"
_FIRST_YEAR: Final = 2025
"""This program is no older."""
_LAST_YEAR: Final = 2100
_REMEDY: Final = "timedatectl set-ntp true, and let UDP 123 out"


async def check_clock(subject: Subject) -> list[Finding]:
    """Look at the date, and ask systemd whether the clock is synchronised."""
    return [judge_date(time.time()), await _check_synchronised(subject)]


def judge_date(now_s: float) -> Finding:
    """Judge a time in Unix seconds: without a battery, clocks begin in 1970 at each boot."""
    now = datetime.fromtimestamp(now_s, UTC)
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if _FIRST_YEAR <= now.year < _LAST_YEAR:
        return ok(_ABOUT, shown)
    what = f"{shown} cannot be right: TLS fails, and so does whatever expires"
    return fail(_ABOUT, what, _REMEDY)


async def _check_synchronised(subject: Subject) -> Finding:
    try:
        told = await ask(subject.machine, "timedatectl", "show")
    except FleetError:
        return skip(_ABOUT, "whether it is synchronised is not known (timedatectl does not tell)")
    pairs = dict(line.split("=", 1) for line in told.decode().splitlines() if "=" in line)
    if pairs.get("NTPSynchronized") == "yes":
        return ok(_ABOUT, "synchronised")
    return warn(_ABOUT, "not synchronised", _REMEDY)
