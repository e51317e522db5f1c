"""Exec: run a program in a container of devices, or on the devices themselves, and read its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import EXEC_DEADLINE_S, ExecRequest, Verb, command_subject
from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.operations import parameters, targets
from fleet_core.operations.buckets import filter_buckets
from fleet_core.operations.exec_requests import (
    exec_command,
    exec_request,
    place_of,
    program_text,
)
from fleet_core.operations.exec_results import exec_failed, exec_result, kept_chars
from fleet_core.operations.operation import Operation, Parameter, ParameterKind
from fleet_core.operations.plans import (
    Friction,
    Plan,
    Request,
    Scope,
    TargetResult,
    counted,
    friction_of,
    new_operation_id,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.operations.live import LiveFleet

MAX_DEVICES: Final = 500
"""Beyond these, what the programs say is neither read nor kept in memory."""
PARALLEL_DEVICES: Final = 32
"""A reply has up to a megabyte: so many are under way at once, the others wait their turn."""
ANSWER_MARGIN_S: Final = 5.0
"""An answer is waited for so much longer than the program may run: for a bad link, and its end."""

DEPLOYMENT: Final = Parameter(
    "deployment",
    "in a container of this deployment (default: on the device itself, if it allows that)",
    flags=("-d", "--deployment"),
    metavar="DEPLOYMENT",
)
CONTAINER: Final = Parameter(
    "container",
    "in this one of its containers (default: its first service)",
    flags=("-c", "--container"),
    metavar="CONTAINER",
)
SHELL: Final = Parameter(
    "shell_line",
    "in place of PROGRAM: a line for the shell there, as 'ls | wc -l'",
    flags=("--shell",),
    metavar="LINE",
)
TIMEOUT: Final = Parameter(
    "timeout_s",
    f"whole seconds the program may run, up to {EXEC_DEADLINE_S} (default: {EXEC_DEADLINE_S})",
    flags=("--timeout",),
    metavar="SECONDS",
    kind=ParameterKind.COUNT,
    default=EXEC_DEADLINE_S,
)
PROGRAM: Final = Parameter(
    "argv",
    "after --, the program and its arguments as they stand",
    metavar="-- PROGRAM",
    kind=ParameterKind.PROGRAM,
    many=True,
)


class Exec(Operation):
    """Run a program on one device or many; its standard input is empty."""

    id: ClassVar = "exec"
    title: ClassVar = "Exec"
    help: ClassVar = "run a program in a container of a device, or on the device itself"
    key: ClassVar = "x"
    scope: ClassVar = Scope.DEVICES
    mutates: ClassVar = True
    parameters: ClassVar[tuple[Parameter, ...]] = (
        parameters.DEVICES,
        parameters.FILTER,
        DEPLOYMENT,
        CONTAINER,
        SHELL,
        TIMEOUT,
        PROGRAM,
    )

    def buckets(self, request: Request) -> tuple[str, ...]:
        """A filter needs the read model; names do not."""
        return filter_buckets(request.filter) if request.filter else ()

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan it for the devices named, or for those that the filter matches.

        Of one device that is named, outside of production, nothing is asked again: whoever types
        the device and the program has said what is meant.
        """
        asked = exec_request(request, request_id=new_operation_id())
        devices = _chosen(fleet, request)
        friction, confirmation = friction_of(
            devices=len(devices), production=targets.production_name(fleet)
        )
        if friction is Friction.CONFIRM and request.devices:
            friction, confirmation = Friction.NONE, ""
        whom = devices[0] if len(devices) == 1 else counted(len(devices), "device")
        place = place_of(asked)
        return Plan(
            operation=self.id,
            title=f"exec {program_text(asked)} {f'in {place} ' if place else ''}on {whom}",
            targets=devices,
            devices=devices,
            offline=targets.offline_among(fleet, devices),
            command=exec_command(fleet, request, asked),
            friction=friction,
            confirmation=confirmation,
            changes=bool(devices),
            id=asked.request_id,
            audit_target=targets.audit_target(request, place or "host"),
            work=asked,
        )

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Run it on `PARALLEL_DEVICES` at a time; a device does it once, by the plan's id.

        A result's ``data`` holds ``exit_code``, ``stdout``, ``stderr`` and ``truncated``. The two
        streams are as the device sent them: they are shown only through `printable_lines`.
        """
        left = list(reversed(plan.devices))
        running: set[asyncio.Task[TargetResult]] = set()
        try:
            while left or running:
                while left and len(running) < PARALLEL_DEVICES:
                    ask = _ask(fleet, left.pop(), plan.work, len(plan.devices))
                    running.add(asyncio.create_task(ask))
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _chosen(fleet: LiveFleet, request: Request) -> tuple[str, ...]:
    devices = targets.chosen(fleet, request)
    if len(devices) > MAX_DEVICES:
        raise InvalidInputError(
            f"{counted(len(devices), 'device')} are too many to run a program on",
            expected=f"at most {MAX_DEVICES} devices",
            remedy=f"choose at most {MAX_DEVICES}",
        )
    return devices


async def _ask(fleet: LiveFleet, device: str, asked: ExecRequest, devices: int) -> TargetResult:
    subject = command_subject(device, Verb.EXEC)
    try:
        answer = await fleet.requests.request(
            subject, encode(asked), asked.timeout_s + ANSWER_MARGIN_S
        )
        return exec_result(device, answer, limit_chars=kept_chars(devices))
    except FleetError as error:
        return exec_failed(device, error)
