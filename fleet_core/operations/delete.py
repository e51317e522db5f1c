"""Delete: take a Deployment away, and with it its containers from every device."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fleet_core.operations import parameters
from fleet_core.operations.buckets import LABEL_BUCKETS
from fleet_core.operations.operation import Operation, Parameter
from fleet_core.operations.plans import Plan, Request, Scope, TargetResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.operations.live import LiveFleet


class Delete(Operation):
    """Delete a Deployment."""

    id: ClassVar = "delete"
    title: ClassVar = "Delete"
    help: ClassVar = "delete a deployment: its containers are removed from every device"
    key: ClassVar = "ctrl+d"
    scope: ClassVar = Scope.DEPLOYMENT
    mutates: ClassVar = True
    noun: ClassVar = "deployment"
    parameters: ClassVar[tuple[Parameter, ...]] = (parameters.DEPLOYMENT, parameters.NAMESPACE)

    def buckets(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002 - the same for all
        """Selectors look at labels."""
        return LABEL_BUCKETS

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan it: what is stored now, and which devices it is taken from."""
        from fleet_core.operations.planning import plan_delete  # noqa: PLC0415 - yaml is slow

        return await plan_delete(fleet, request)

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Delete it, unless somebody else wrote it since the plan."""
        from fleet_core.operations.changes import carry_out  # noqa: PLC0415 - as in `plan`

        for change in plan.work:
            yield await carry_out(fleet, change)
