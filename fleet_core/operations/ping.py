"""Ping: ask devices whether their agent answers, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fleet_core.contracts.commands import PingReply, Verb, command_subject
from fleet_core.contracts.text import printable
from fleet_core.errors import FleetError
from fleet_core.operations import parameters, targets
from fleet_core.operations.buckets import filter_buckets
from fleet_core.operations.durations import duration_text
from fleet_core.operations.operation import Operation, Parameter
from fleet_core.operations.plans import Plan, Request, Scope, TargetResult, counted
from fleet_core.operations.replies import failed, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.messaging import Reply
    from fleet_core.operations.live import LiveFleet


class Ping(Operation):
    """Ping one device or many."""

    id: ClassVar = "ping"
    title: ClassVar = "Ping"
    help: ClassVar = "ask devices whether their agent answers, and how fast"
    key: ClassVar = "p"
    scope: ClassVar = Scope.DEVICES
    mutates: ClassVar = False
    parameters: ClassVar[tuple[Parameter, ...]] = (
        parameters.DEVICES,
        parameters.FILTER,
        parameters.TIMEOUT,
    )

    def buckets(self, request: Request) -> tuple[str, ...]:
        """A filter needs the read model; names do not."""
        return filter_buckets(request.filter) if request.filter else ()

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan a ping of the devices named, or of those that the filter matches."""
        devices = targets.chosen(fleet, request)
        return Plan(
            operation=self.id,
            title=f"ping {counted(len(devices), 'device')}",
            targets=devices,
            devices=devices,
            offline=targets.offline_among(fleet, devices),
            command=targets.command(fleet, request, "ping"),
            work=request.timeout_s,
        )

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Ping them all at once; answers are yielded as they arrive."""
        requests = [(device, command_subject(device, Verb.PING), b"") for device in plan.devices]
        async for device, answer in fleet.requests.scatter(requests, timeout_s=plan.work):
            yield ping_result(device, answer)


def ping_result(device: str, answer: Reply | FleetError) -> TargetResult:
    """Return what a device's answer to a ping says."""
    if isinstance(answer, FleetError):
        return failed(device, answer)
    try:
        pong = read_reply(PingReply, answer.data)
    except FleetError as error:
        return failed(device, error)
    version = printable(pong.agent_version, 64)
    return TargetResult(
        device,
        ok=True,
        message=f"agent {version}, up {duration_text(pong.uptime_s)}",
        rtt_ms=answer.rtt_ms,
        data={"agent_version": version, "uptime_s": pong.uptime_s},
    )
