"""The sub-commands of operations: plan, confirm, run, and a line for each target."""

from __future__ import annotations

import sys
import time
from contextlib import aclosing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes
from fleet_core.cli.confirmation import confirm, plan_lines, show_plan
from fleet_core.cli.output import Output, narrate
from fleet_core.cli.results import ResultWriter
from fleet_core.cli.sessions import opened
from fleet_core.errors import InvalidInputError
from fleet_core.operations.plans import Friction, Request
from fleet_core.operations.registry import operation as operation_of

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.operation import Operation
    from fleet_core.operations.plans import Plan

STDIN = "-"


async def operate(options: argparse.Namespace) -> int:
    """Run the operation that the sub-command names."""
    operation = operation_of(options.operation)
    request = request_of(options)
    refuse_early(request)
    async with opened(options, operation.buckets(request)) as fleet:
        if operation.mutates and not options.dry_run:
            fleet.context.refuse_if_read_only(operation.id)
        plan = await operation.plan(fleet, request)
        if operation.mutates and not await goes_on(plan, options):
            return exit_codes.OK
        return await _run(fleet, operation, plan, options)


def request_of(options: argparse.Namespace) -> Request:
    """Return what the command line asks for.

    Raises:
        InvalidInputError: the file cannot be read.
    """
    given = {
        field.name: getattr(options, field.name)
        for field in fields(Request)
        if getattr(options, field.name, None) is not None
    }
    if "devices" in given:
        named = given["devices"]
        given["devices"] = (named,) if isinstance(named, str) else tuple(named)
    if "argv" in given:
        given["argv"] = tuple(given["argv"])
    if "manifest" in given:
        given["source"] = given["manifest"]
        given["manifest"] = _read(given["manifest"])
    return Request(**given)


def refuse_early(request: Request) -> None:
    """Refuse what is wrong whatever the fleet looks like, before a link is waited for.

    Raises:
        InvalidInputError: devices and a filter are given, or the filter is none.
    """
    if not request.filter:
        return
    if request.devices:
        raise InvalidInputError(
            "both device ids and a filter are given", remedy="give either device ids or a filter"
        )
    from fleet_core.view import parse_filter  # noqa: PLC0415 - a ping by id needs no read model

    parse_filter(request.filter)


def _read(name: str) -> bytes:
    # One byte more than is allowed is enough to refuse it; a pipe without an end must not fill
    # the memory.
    from fleet_core.operations.manifests import MAX_BYTES  # noqa: PLC0415 - yaml is slow

    if name == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {name}: {error.strerror}", path="-f", expected="a readable file"
        ) from error


async def goes_on(plan: Plan, options: argparse.Namespace) -> bool:
    """Tell the plan; return whether it is to be run."""
    if options.dry_run:
        for line in plan_lines(plan):
            narrate(line)
        Output().lines(plan.diff)
        return False
    if not plan.changes:
        for line in plan_lines(plan):
            narrate(line)
        return False
    if plan.friction is not Friction.NONE:
        show_plan(plan)
        await confirm(plan, options)
    return True


async def _run(
    fleet: LiveFleet, operation: Operation, plan: Plan, options: argparse.Namespace
) -> int:
    writer = ResultWriter(Output(), options.output, plan)
    started_s = time.monotonic()
    async with aclosing(operation.run(fleet, plan)) as results:
        async for result in results:
            writer.take(result)
            if writer.reader_is_gone and not operation.mutates:
                break
    writer.finish(time.monotonic() - started_s)
    return exit_codes.FAILED if writer.failed else exit_codes.OK
