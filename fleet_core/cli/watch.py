"""``fleet watch``: one line for each change, until ctrl+c."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.get import BUCKETS
from fleet_core.cli.output import GAP, Output, narrate
from fleet_core.cli.sessions import opened
from fleet_core.cli.watching import WATCHERS, Change, differences
from fleet_core.operations.plans import counted
from fleet_core.view import parse_filter

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.live import LiveFleet

INTERVAL_S: Final = 0.5
"""How often the picture is compared; changes within it that undo each other are not told."""


async def watch(options: argparse.Namespace) -> int:
    """Print changes until the reader goes away, or ctrl+c."""
    options.filter = " ".join(options.words)
    chosen = parse_filter(options.filter)
    async with opened(options, BUCKETS[options.kind]) as fleet:
        output = Output()
        watcher = WATCHERS[options.kind](fleet.view, chosen)
        fleet.view.tick(time.time())
        known = watcher.rows()
        narrate(f"watching {counted(len(known), options.kind.removesuffix('s'))}; ctrl+c ends it")
        stale = False
        while not output.reader_is_gone():
            await asyncio.sleep(INTERVAL_S)
            stale = _tell_staleness(fleet, was_stale=stale)
            fleet.view.tick(time.time())
            now = watcher.rows()
            for change in differences(known, now):
                _print(output, change, as_json=options.output == "json")
            known = now
    return exit_codes.OK


def _print(output: Output, change: Change, *, as_json: bool) -> None:
    at = datetime.now(UTC)
    if as_json:
        output.json_line(
            {
                "at": at.isoformat(timespec="milliseconds"),
                "event": change.event,
                "key": change.row.key,
                "record": change.row.record(),
            }
        )
        return
    clock = at.astimezone().strftime("%H:%M:%S")
    output.line(GAP.join((clock, change.event.ljust(7), change.row.key, *change.words)))


def _tell_staleness(fleet: LiveFleet, *, was_stale: bool) -> bool:
    stale = fleet.stats.stale
    if stale and not was_stale:
        narrate(f"what is shown may be old: {fleet.stale_because}")
    if was_stale and not stale:
        narrate("the picture is live again")
    return stale
