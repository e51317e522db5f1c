"""``fleet get``: devices, deployments or failures, as they are now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes, listings
from fleet_core.cli.output import Output, narrate, table
from fleet_core.cli.sessions import opened
from fleet_core.operations.buckets import (
    DEPLOYMENT_BUCKETS,
    DEVICE_BUCKETS,
)
from fleet_core.operations.plans import counted
from fleet_core.operations.record_filters import matching_deployments, matching_failures
from fleet_core.operations.reports import deployment_record, device_record, failure_record
from fleet_core.view import parse_filter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fleet_core.operations.reports import Record
    from fleet_core.view import Filter, FleetView

BUCKETS = {
    "devices": DEVICE_BUCKETS,
    "deployments": DEPLOYMENT_BUCKETS,
    "failures": DEVICE_BUCKETS,
}
"""What each kind of row is made of."""


async def get(options: argparse.Namespace) -> int:
    """List what the filter matches."""
    options.filter = " ".join(options.words)
    chosen = parse_filter(options.filter)
    async with opened(options, BUCKETS[options.kind]) as fleet:
        view = fleet.view
        view.tick(time.time())
        if fleet.stats.rejected:
            narrate(f"{counted(fleet.stats.rejected, 'payload')} broke the contract: left out")
    output = Output()
    if options.output in ("json", "yaml"):
        records = _records(view, options.kind, chosen)
        if options.output == "json":
            output.json(records)
        else:
            output.yaml(records)
    else:
        headers, rows = _rows(view, options.kind, chosen, wide=options.output == "wide")
        output.lines(table(headers, rows))
    return exit_codes.OK


def chosen_slots(view: FleetView, chosen: Filter) -> list[int]:
    """Return the slots of the devices that a filter matches, by id."""
    return sorted(chosen.select(view.devices, view.now_s), key=view.devices.ids.__getitem__)


def _records(view: FleetView, kind: str, chosen: Filter) -> list[Record]:
    if kind == "devices":
        ids = view.devices.ids
        return [device_record(view, ids[slot]) for slot in chosen_slots(view, chosen)]
    if kind == "deployments":
        rows = listings.sorted_deployments(view.deployments.values())
        return [deployment_record(row) for row in matching_deployments(chosen, rows)]
    return [failure_record(group) for group in matching_failures(chosen, view.failures(), view)]


def _rows(
    view: FleetView, kind: str, chosen: Filter, *, wide: bool
) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    headers: Sequence[str]
    if kind == "devices":
        slots = chosen_slots(view, chosen)
        headers = listings.DEVICE_WIDE_HEADERS if wide else listings.DEVICE_HEADERS
        return headers, [listings.device_row(view, slot, wide=wide) for slot in slots]
    if kind == "deployments":
        deployments = listings.sorted_deployments(view.deployments.values())
        headers = listings.DEPLOYMENT_WIDE_HEADERS if wide else listings.DEPLOYMENT_HEADERS
        matched = matching_deployments(chosen, deployments)
        return headers, [listings.deployment_row(row, view.now_s, wide=wide) for row in matched]
    headers = listings.FAILURE_WIDE_HEADERS if wide else listings.FAILURE_HEADERS
    groups = matching_failures(chosen, view.failures(), view)
    return headers, [listings.failure_row(group, view.now_s, wide=wide) for group in groups]
