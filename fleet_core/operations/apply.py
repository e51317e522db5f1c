"""Apply: store Deployments from a YAML or JSON file, after a plan with their diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.operations.buckets import LABEL_BUCKETS
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

    def buckets(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002 - the same for all
        """Selectors look at labels."""
        return LABEL_BUCKETS

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan the writes: what is new or changed, as a diff, and on which devices."""
        from fleet_core.operations.planning import plan_apply  # noqa: PLC0415 - yaml is slow

        return await plan_apply(fleet, request)

    async def perform(self, fleet: LiveFleet, plan: Plan) -> AsyncGenerator[TargetResult, None]:
        """Write each changed Deployment, unless somebody else wrote it since the plan."""
        from fleet_core.operations.changes import carry_out  # noqa: PLC0415 - as in `plan`

        for change in plan.work:
            yield await carry_out(fleet, change)
