"""``fleet logs``: the last lines of a log, and with ``-f`` each further one."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from fleet_core.cli import exit_codes
from fleet_core.cli.operate import request_of
from fleet_core.cli.output import Output, narrate
from fleet_core.cli.sessions import opened
from fleet_core.operations.plans import counted
from fleet_core.operations.registry import operation as operation_of

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.following import LogChunk
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Request


async def logs(options: argparse.Namespace) -> int:
    """Print lines of a log; an error of the device is told on standard error."""
    request = request_of(options)
    async with opened(options) as fleet:
        if options.follow:
            return await _follow(fleet, request, Output(), as_json=options.output == "json")
        return await _read(fleet, request, options.output)


async def _read(fleet: LiveFleet, request: Request, style: str) -> int:
    operation = operation_of("logs")
    plan = await operation.plan(fleet, request)
    output = Output()
    failed = False
    async with aclosing(operation.run(fleet, plan)) as results:
        async for result in results:
            if not result.ok:
                failed = True
                narrate(f"fleet: {result.target}: {result.message}")
            elif style == "json":
                output.json({"device": result.target, **result.data})
            elif style == "yaml":
                output.yaml([{"device": result.target, **result.data}])
            else:
                if result.data["truncated"]:
                    narrate("… older lines were left out: --tail and --since choose others")
                output.lines(result.data["lines"])
    return exit_codes.FAILED if failed else exit_codes.OK


async def _follow(fleet: LiveFleet, request: Request, output: Output, *, as_json: bool) -> int:
    # What following needs is not needed by any other command.
    from fleet_core.operations import targets  # noqa: PLC0415
    from fleet_core.operations.following import follow_logs  # noqa: PLC0415

    (device,) = targets.device_ids(request.devices)
    async with aclosing(follow_logs(fleet, device, request)) as chunks:
        async for chunk in chunks:
            _tell_gaps(chunk)
            if as_json:
                for line in chunk.lines:
                    output.json_line({"device": device, "line": line})
            else:
                output.lines(chunk.lines)
            if output.closed:
                return exit_codes.OK
            if chunk.end is not None:
                narrate(f"the log ends: {chunk.end or 'no reason was told'}")
    return exit_codes.OK


def _tell_gaps(chunk: LogChunk) -> None:
    if chunk.restarted:
        narrate("… the device began anew: lines may be repeated or missing")
    if chunk.missed:
        narrate(f"… {counted(chunk.missed, 'chunk')} of lines lost on the way")
    if chunk.truncated:
        narrate("… older lines were left out")
