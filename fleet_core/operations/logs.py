"""Logs: the last lines of a container on one device or a few, and a log followed as it grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import (
    LOGS_MAX_LINES,
    LogsReply,
    LogsRequest,
    Verb,
    command_subject,
)
from fleet_core.contracts.text import printable
from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.operations import parameters, targets
from fleet_core.operations.buckets import filter_buckets
from fleet_core.operations.operation import Operation, Parameter, ParameterKind
from fleet_core.operations.plans import DEFAULT_TAIL, Plan, Request, Scope, TargetResult, counted
from fleet_core.operations.replies import failed, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.messaging import Reply
    from fleet_core.operations.live import LiveFleet

MAX_DEVICES: Final = 50
"""A reply has up to 512 KiB: more devices than this are no longer read by a person."""
LINE_MAX_CHARS: Final = 16_384

DEVICE: Final = Parameter("devices", "the device's id", metavar="DEVICE", required=True)
CONTAINER: Final = Parameter(
    "deployment",
    "the deployment, and one of its containers (default: its first service)",
    metavar="DEPLOYMENT[/CONTAINER]",
    required=True,
)
TAIL: Final = Parameter(
    "tail",
    f"how many lines, from the end (default: {DEFAULT_TAIL})",
    flags=("--tail",),
    metavar="LINES",
    kind=ParameterKind.COUNT,
    default=DEFAULT_TAIL,
)
SINCE: Final = Parameter(
    "since_s",
    "only lines of the last so long, as 10m",
    flags=("--since",),
    metavar="DURATION",
    kind=ParameterKind.DURATION,
)
PREVIOUS: Final = Parameter(
    "previous",
    "the run before the present one",
    flags=("--previous",),
    kind=ParameterKind.FLAG,
    default=False,
)
TIMESTAMPS: Final = Parameter(
    "timestamps",
    "begin each line with its time",
    flags=("--timestamps",),
    kind=ParameterKind.FLAG,
    default=False,
)


class Logs(Operation):
    """Read the last lines of a container's log; `follow.follow_logs` follows one."""

    id: ClassVar = "logs"
    title: ClassVar = "Logs"
    help: ClassVar = "read or follow the log of a container on a device"
    key: ClassVar = "l"
    scope: ClassVar = Scope.DEVICES
    mutates: ClassVar = False
    parameters: ClassVar[tuple[Parameter, ...]] = (
        DEVICE,
        CONTAINER,
        TAIL,
        SINCE,
        PREVIOUS,
        TIMESTAMPS,
        parameters.TIMEOUT,
    )

    def buckets(self, request: Request) -> tuple[str, ...]:
        """A filter needs the read model; names do not."""
        return filter_buckets(request.filter) if request.filter else ()

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan to read the log of a container on each of the devices."""
        devices = targets.chosen(fleet, request)
        if len(devices) > MAX_DEVICES:
            raise InvalidInputError(
                f"logs of {counted(len(devices), 'device')} are too many",
                expected=f"at most {MAX_DEVICES} devices",
                remedy=f"name at most {MAX_DEVICES}",
            )
        asked = logs_request(request)
        what = f"{asked.deployment}/{asked.container}" if asked.container else asked.deployment
        return Plan(
            operation=self.id,
            title=f"logs of {what} on {counted(len(devices), 'device')}",
            targets=devices,
            devices=devices,
            offline=targets.offline_among(fleet, devices),
            command=targets.logs_command(fleet, request, what),
            work=(asked, request.timeout_s),
        )

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Read them all at once; a result's ``data["lines"]`` are safe to show."""
        asked, timeout_s = plan.work
        payload = encode(asked)
        requests = [
            (device, command_subject(device, Verb.LOGS), payload) for device in plan.devices
        ]
        async for device, answer in fleet.requests.scatter(requests, timeout_s=timeout_s):
            yield logs_result(device, answer)


def logs_request(request: Request, *, request_id: str | None = None) -> LogsRequest:
    """Return the command; with a ``request_id`` the log is followed.

    Raises:
        InvalidInputError: the deployment or the container is no name, or too many lines.
    """
    deployment, slash, container = request.deployment.partition("/")
    return targets.validated(
        LogsRequest,
        deployment=deployment,
        container=(container if slash else request.container) or None,
        tail=min(request.tail, LOGS_MAX_LINES),
        since_s=request.since_s,
        previous=request.previous,
        timestamps=request.timestamps,
        follow=request_id is not None,
        request_id=request_id,
    )


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a log, oldest first, inert in a terminal."""

    lines: tuple[str, ...]
    truncated: bool
    """Older lines were left out."""


def read_log_page(data: bytes) -> LogPage:
    """Return the lines of a reply; raises FleetError as the device told it."""
    reply = read_reply(LogsReply, data)
    lines = tuple(printable(line.expandtabs(), LINE_MAX_CHARS) for line in reply.lines)
    return LogPage(lines, reply.truncated)


def logs_result(device: str, answer: Reply | FleetError) -> TargetResult:
    """Return what a device's answer says; its lines are in ``data``."""
    if isinstance(answer, FleetError):
        return failed(device, answer)
    try:
        page = read_log_page(answer.data)
    except FleetError as error:
        return failed(device, error)
    return TargetResult(
        device,
        ok=True,
        message=counted(len(page.lines), "line"),
        rtt_ms=answer.rtt_ms,
        data={"lines": list(page.lines), "truncated": page.truncated},
    )
