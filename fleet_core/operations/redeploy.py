"""Redeploy: have devices run a deployment again from its first init container, with its spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import RedeployReply, RedeployRequest, Verb, command_subject
from fleet_core.errors import FleetError, NotFoundError
from fleet_core.operations import parameters, targets
from fleet_core.operations.buckets import PRESENCE_BUCKETS, filter_buckets
from fleet_core.operations.operation import Operation, Parameter
from fleet_core.operations.plans import (
    Plan,
    Request,
    Scope,
    TargetResult,
    counted,
    friction_of,
    new_operation_id,
)
from fleet_core.operations.replies import failed, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.messaging import Reply
    from fleet_core.operations.live import LiveFleet


class Redeploy(Operation):
    """Run a deployment again on the devices that have it, or on some of them."""

    id: ClassVar = "redeploy"
    title: ClassVar = "Redeploy"
    help: ClassVar = "run a deployment again from its first init container, with the same spec"
    key: ClassVar = "r"
    scope: ClassVar = Scope.DEPLOYMENT
    mutates: ClassVar = True
    parameters: ClassVar[tuple[Parameter, ...]] = (
        parameters.DEPLOYMENT,
        parameters.DEVICES,
        parameters.FILTER,
        parameters.NAMESPACE,
        parameters.TIMEOUT,
    )

    def buckets(self, request: Request) -> tuple[str, ...]:
        """Manifests tell who runs it, heartbeats who of them is online."""
        return filter_buckets(request.filter) if request.filter else PRESENCE_BUCKETS

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan it for the devices named, else for all that the deployment matches."""
        name = targets.deployment_name(request)
        devices, warnings = _meant(fleet, request, name)
        friction, confirmation = friction_of(
            devices=len(devices), production=targets.production_name(fleet)
        )
        return Plan(
            operation=self.id,
            title=f"redeploy {name} on {counted(len(devices), 'device')}",
            targets=devices,
            devices=devices,
            offline=targets.offline_among(fleet, devices),
            command=targets.command(fleet, request, "redeploy", name),
            friction=friction,
            confirmation=confirmation,
            warnings=warnings,
            id=new_operation_id(),
            audit_target=targets.audit_target(request, name),
            work=(name, request.timeout_s),
        )

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Send the order to all of them; a device does it once, by the plan's id."""
        deployment, timeout_s = plan.work
        payload = encode(RedeployRequest(request_id=plan.id, deployment=deployment))
        requests = [
            (device, command_subject(device, Verb.REDEPLOY), payload) for device in plan.devices
        ]
        async for device, answer in fleet.requests.scatter(requests, timeout_s=timeout_s):
            yield redeploy_result(device, answer)


def _meant(
    fleet: LiveFleet, request: Request, name: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the devices that are meant, and what a person should know of the choice."""
    having = targets.having(fleet, name)
    if not request.devices and not request.filter:
        if not having:
            raise NotFoundError(
                f"no device has a deployment named {name}",
                remedy="fleet get deployments lists them",
            )
        return tuple(sorted(having)), ()
    devices = targets.chosen(fleet, request)
    if request.filter:
        return tuple(sorted(set(devices) & set(having))), ()
    known = set(having)
    without = [device for device in devices if device not in known]
    warnings = (f"{counted(len(without), 'device')} should not run {name}",) if without else ()
    return devices, warnings


def redeploy_result(device: str, answer: Reply | FleetError) -> TargetResult:
    """Return what a device's answer to the order says."""
    if isinstance(answer, FleetError):
        return failed(device, answer)
    try:
        taken = read_reply(RedeployReply, answer.data)
    except FleetError as error:
        return failed(device, error)
    return TargetResult(
        device,
        ok=True,
        message=f"started again, generation {taken.generation}",
        rtt_ms=answer.rtt_ms,
        data={"generation": taken.generation},
    )
