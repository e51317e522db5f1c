"""``fleet exec``: a program's output on ours, its exit code as ours; of several, line by line."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.operate import goes_on, refuse_early, request_of
from fleet_core.cli.output import Output, narrate
from fleet_core.cli.results import result_record
from fleet_core.cli.sessions import opened
from fleet_core.contracts.text import printable_lines
from fleet_core.operations.exec_requests import exec_request
from fleet_core.operations.exec_results import ExecOutput
from fleet_core.operations.plans import new_operation_id
from fleet_core.operations.registry import operation as operation_of

if TYPE_CHECKING:
    import argparse

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Plan, TargetResult

_ALL_LINES: Final = sys.maxsize
_LINE_MAX_CHARS: Final = 16_384


async def execute(options: argparse.Namespace) -> int:
    """Run a program on a device or on several.

    Raises:
        FleetError: nothing was run; or it was, and the audit record was lost.
    """
    operation, request = operation_of("exec"), request_of(options)
    refuse_early(request)
    exec_request(request, request_id=new_operation_id())  # what is wrong is told without a link
    async with opened(options, operation.buckets(request)) as fleet:
        if not options.dry_run:
            fleet.context.refuse_if_read_only(operation.id)
        plan = await operation.plan(fleet, request)
        if not await goes_on(plan, options):
            return exit_codes.OK
        return await _run(fleet, plan, options.output)


async def _run(fleet: LiveFleet, plan: Plan, style: str) -> int:
    writer = ExecWriter(style, several=len(plan.devices) > 1)
    async with aclosing(operation_of(plan.operation).run(fleet, plan)) as results:
        async for result in results:
            writer.take(result)
    writer.finish()
    return writer.exit_code


class ExecWriter:
    """Writes what programs said: to a terminal as inert lines, else byte for byte."""

    def __init__(self, style: str, *, several: bool) -> None:
        self.exit_code = exit_codes.OK
        """What is known of it so far."""
        self._stdout, self._stderr = Output(), Output(sys.stderr)
        self._style = style
        self._several = several
        self._records: list[dict[str, Any]] = []

    def take(self, result: TargetResult) -> None:
        """Write what came of one device, or keep it for the document."""
        output = ExecOutput.of(result.data)
        self._note_exit(result, output)
        if self._style in ("json", "yaml"):
            self._records.append(result_record(result))
        elif output is not None:
            for stream, text in ((self._stdout, output.stdout), (self._stderr, output.stderr)):
                if text:
                    self._echo(stream, result.target, text)
        self._tell(result, output)

    def finish(self) -> None:
        """Write the document, if it is one."""
        if self._style == "json":
            self._stdout.json(self._records)
        elif self._style == "yaml":
            self._stdout.yaml([self._records])

    def _note_exit(self, result: TargetResult, output: ExecOutput | None) -> None:
        if self._several:
            code = exit_codes.OK if result.ok else exit_codes.FAILED
        elif output is None:
            code = exit_codes.EXEC_FAILED
        else:
            code = exit_codes.exit_code_of_program(output.exit_code)
        self.exit_code = self.exit_code or code

    def _echo(self, stream: Output, device: str, text: str) -> None:
        whose = f"{device}: " if self._several else ""
        if stream.is_terminal:
            lines = printable_lines(text, limit_lines=_ALL_LINES, limit_columns=_LINE_MAX_CHARS)
            stream.lines(f"{whose}{line}" for line in lines)
        elif self._several:
            stream.raw("".join(f"{whose}{line}\n" for line in text.removesuffix("\n").split("\n")))
        else:
            stream.raw(text)

    def _tell(self, result: TargetResult, output: ExecOutput | None) -> None:
        """Tell on standard error what the program itself did not say."""
        whose = f"fleet: {result.target}: "
        if output is None:
            narrate(f"{whose}{result.message}")
            return
        if output.truncated:
            narrate(f"{whose}there was more output than is sent: the end of it is missing")
        if output.exit_code is None:
            narrate(f"{whose}the program was ended by its deadline")
        elif self._several and output.exit_code:
            narrate(f"{whose}exit code {output.exit_code}")
