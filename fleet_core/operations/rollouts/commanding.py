"""Telling a rollout something: written into the Deployment, where the operator reads it."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.rollouts import (
    COMMANDS_ANNOTATION,
    MAX_COMMANDS,
    RolloutCommand,
    RolloutCommands,
    RolloutPhase,
    RolloutVerb,
)
from fleet_core.contracts.scores import spec_hash
from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_core.operations import parameters, targets
from fleet_core.operations.buckets import LABEL_BUCKETS, ROLLOUT_BUCKETS
from fleet_core.operations.changes import Change, carry_out, merged, read_stored
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

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.rollouts import RolloutStatus
    from fleet_core.operations.live import LiveFleet

UNDER_WAY = (RolloutPhase.PROGRESSING, RolloutPhase.PAUSED)


class RolloutOperation(Operation):
    """One thing that a person can tell a rollout."""

    scope: ClassVar = Scope.DEPLOYMENT
    mutates: ClassVar = True
    group: ClassVar = "rollout"
    parameters: ClassVar[tuple[Parameter, ...]] = (parameters.DEPLOYMENT, parameters.NAMESPACE)
    phases: ClassVar[tuple[RolloutPhase, ...]]
    """In which of them it has an effect."""

    def buckets(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002 - the same for all
        """How far the rollout is, and which devices are concerned."""
        return (*LABEL_BUCKETS, *ROLLOUT_BUCKETS)

    @abstractmethod
    def verb(self, request: Request) -> RolloutVerb:
        """Return what the rollout is told."""

    @abstractmethod
    def devices(self, fleet: LiveFleet, resource: Deployment) -> tuple[str, ...]:
        """Return the devices that are told something else by it."""

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan it, from how far the rollout is now."""
        await fleet.deployments.check()
        name = targets.deployment_name(request)
        stored = await read_stored(fleet, request.namespace, name)
        if stored is None or stored.deployment is None:
            raise NotFoundError(
                f"there is no deployment {request.namespace}/{name}",
                remedy="fleet get deployments lists them",
            )
        old = stored.deployment
        status = rollout_of(fleet, request)
        verb, identity = self.verb(request), new_operation_id()
        changes = status is not None and status.phase in self.phases
        command = RolloutCommand(id=identity, verb=verb, spec_hash=spec_hash(old.spec.score))
        after = merged(with_command(old, command), old, datetime.now(UTC))
        devices = self.devices(fleet, old) if changes else ()
        friction, confirmation = friction_of(
            devices=len(devices), production=targets.production_name(fleet)
        )
        change = Change(request.namespace, name, stored, after)
        return Plan(
            operation=self.id,
            title=_title(self, change, status, devices),
            targets=(change.target,),
            devices=devices,
            offline=targets.offline_among(fleet, devices),
            command=targets.command(
                fleet, Request(), *self.words(request), *targets.namespace_words(request)
            ),
            friction=friction,
            confirmation=confirmation,
            changes=changes,
            id=identity,
            audit_target=change.target,
            work=change,
        )

    def words(self, request: Request) -> tuple[str, ...]:
        """Return the words of the command line."""
        return (self.group, self.word, request.deployment)

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Write it into the Deployment, unless somebody else wrote it since the plan."""
        result = await carry_out(fleet, plan.work)
        if result.ok:
            said = f"the rollout is told to {self.word}"
            result = TargetResult(result.target, ok=True, message=said)
        yield result


def rollout_of(fleet: LiveFleet, request: Request) -> RolloutStatus | None:
    """Return how far a Deployment's rollout is, as the operator says; None before it has."""
    status = fleet.view.statuses.get((request.namespace, request.deployment))
    return status.rollout if status is not None else None


def with_command(resource: Deployment, command: RolloutCommand) -> Deployment:
    """Return a Deployment with one more command; the oldest go."""
    text = resource.metadata.annotations.get(COMMANDS_ANNOTATION)
    try:
        told = decode(RolloutCommands, text.encode()).commands if text is not None else []
    except InvalidInputError:
        told = []  # What the operator cannot read either is replaced.
    commands = RolloutCommands(commands=[*told, command][-MAX_COMMANDS:])
    annotations = {**resource.metadata.annotations, COMMANDS_ANNOTATION: encode(commands).decode()}
    metadata = resource.metadata.model_copy(update={"annotations": annotations})
    return resource.model_copy(update={"metadata": metadata})


def _title(
    operation: RolloutOperation,
    change: Change,
    status: RolloutStatus | None,
    devices: tuple[str, ...],
) -> str:
    if status is None or status.phase not in operation.phases:
        phase = status.phase.value if status is not None else "not known to the operator yet"
        return f"nothing to {operation.word}: the rollout of {change.target} is {phase}"
    where = ""
    index = status.released.batch
    if index < len(status.batches):
        where = f" (batch {status.batches[index].name}, {index + 1} of {len(status.batches)})"
    on = f" on {counted(len(devices), 'device')}" if devices else ""
    return f"{operation.word} the rollout of {change.target}{where}{on}"
