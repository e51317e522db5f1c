"""Apply: store Deployments from a YAML or JSON file, after a plan with their diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.operations.operation import Operation, Parameter, ParameterKind
from fleet_core.operations.plans import Plan, Request, Scope, TargetResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.operations.live import LiveFleet

FILE: Final = Parameter(
    "manifest",
    "the YAML or JSON file, or - for standard input",
    flags=("-f", "--file"),
    metavar="FILE",
    kind=ParameterKind.FILE,
    required=True,
)


class Apply(Operation):
    """Create or change Deployments."""

    id: ClassVar = "apply"
    title: ClassVar = "Apply"
    help: ClassVar = "create or change deployments from a YAML or JSON file"
    key: ClassVar = "e"
    scope: ClassVar = Scope.DEPLOYMENT
    mutates: ClassVar = True
    parameters: ClassVar[tuple[Parameter, ...]] = (FILE,)

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan the writes: what is new or changed, as a diff, and on which devices."""
        from fleet_core.operations.applying import plan_apply  # noqa: PLC0415 - yaml is slow

        return await plan_apply(fleet, request)

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Write each changed Deployment, unless somebody else wrote it since the plan."""
        from fleet_core.operations.applying import write  # noqa: PLC0415 - as in `plan`

        for change in plan.work:
            yield await write(fleet, change)
