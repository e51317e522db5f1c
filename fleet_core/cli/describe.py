"""``fleet describe``: everything about one device, or one deployment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes
from fleet_core.cli.descriptions import deployment_lines, device_lines
from fleet_core.cli.output import Output
from fleet_core.cli.sessions import opened
from fleet_core.errors import NotFoundError
from fleet_core.operations.buckets import DEPLOYMENT_BUCKETS
from fleet_core.operations.inspect import inspect_device
from fleet_core.operations.reports import deployment_record, inspection_record

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.reports import Record


async def describe(options: argparse.Namespace) -> int:
    """Show it: for a person by default, as a record with ``-o json`` or ``yaml``."""
    record, lines = await (_device(options) if options.kind == "device" else _deployment(options))
    output = Output()
    if options.output == "json":
        output.json(record)
    elif options.output == "yaml":
        output.yaml([record])
    else:
        output.lines(lines)
    return exit_codes.OK


async def _device(options: argparse.Namespace) -> tuple[Record, list[str]]:
    async with opened(options) as fleet:
        found = await inspect_device(fleet, options.name)
    return inspection_record(found), device_lines(found, time.time())


async def _deployment(options: argparse.Namespace) -> tuple[Record, list[str]]:
    async with opened(options, DEPLOYMENT_BUCKETS) as fleet:
        row = fleet.view.deployments.get((options.namespace, options.name))
        if row is None:
            raise NotFoundError(
                f"there is no deployment {options.namespace}/{options.name}",
                remedy="fleet get deployments lists them",
            )
        return deployment_record(row), deployment_lines(row, time.time())
