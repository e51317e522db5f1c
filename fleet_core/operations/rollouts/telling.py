"""Pause, resume, promote, abort, revert."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.rollouts import RolloutPhase, RolloutVerb
from fleet_core.operations import targets
from fleet_core.operations.operation import Parameter, ParameterKind
from fleet_core.operations.rollouts.commanding import UNDER_WAY, RolloutOperation

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Request

FULLY: Final = Parameter(
    "everything",
    "start all devices that are left now, whatever the batches say",
    flags=("--fully",),
    kind=ParameterKind.FLAG,
)


class Pause(RolloutOperation):
    """Start no more devices until it is resumed."""

    id: ClassVar = "rollout-pause"
    title: ClassVar = "Pause rollout"
    help: ClassVar = "start no more devices until the rollout is resumed"
    key: ClassVar = "z"
    phases: ClassVar[tuple[RolloutPhase, ...]] = (RolloutPhase.PROGRESSING,)

    def verb(self, request: Request) -> RolloutVerb:
        """Pause it."""
        del request
        return RolloutVerb.PAUSE

    def devices(self, fleet: LiveFleet, resource: Deployment) -> tuple[str, ...]:
        """No device is told anything."""
        del fleet, resource
        return ()


class Resume(Pause):
    """Go on after a pause or a failed batch."""

    id: ClassVar = "rollout-resume"
    title: ClassVar = "Resume rollout"
    help: ClassVar = "go on with a paused rollout; failures so far are forgiven"
    key: ClassVar = "Z"
    phases: ClassVar[tuple[RolloutPhase, ...]] = (RolloutPhase.PAUSED,)

    def verb(self, request: Request) -> RolloutVerb:
        """Resume it."""
        del request
        return RolloutVerb.RESUME


class Abort(Pause):
    """Start no more devices, for good."""

    id: ClassVar = "rollout-abort"
    title: ClassVar = "Abort rollout"
    help: ClassVar = "start no more devices; those that have the new version keep it"
    key: ClassVar = "A"
    phases: ClassVar[tuple[RolloutPhase, ...]] = UNDER_WAY

    def verb(self, request: Request) -> RolloutVerb:
        """Abort it."""
        del request
        return RolloutVerb.ABORT


class Promote(RolloutOperation):
    """Do not wait for the present batch any longer."""

    id: ClassVar = "rollout-promote"
    title: ClassVar = "Promote rollout"
    help: ClassVar = "take the present batch as good, and go on with the next"
    key: ClassVar = "N"
    phases: ClassVar[tuple[RolloutPhase, ...]] = UNDER_WAY
    parameters: ClassVar = (*RolloutOperation.parameters, FULLY)

    def verb(self, request: Request) -> RolloutVerb:
        """Promote it, by one batch or to the end."""
        return RolloutVerb.PROMOTE_FULLY if request.everything else RolloutVerb.PROMOTE

    def devices(self, fleet: LiveFleet, resource: Deployment) -> tuple[str, ...]:
        """All that the Deployment selects may be next."""
        return tuple(sorted(targets.selected(fleet, resource.spec.target_selector)))

    def words(self, request: Request) -> tuple[str, ...]:
        """Return the words of the command line."""
        return (*super().words(request), *(("--fully",) if request.everything else ()))


class Revert(Promote):
    """Have all devices run the version before again."""

    id: ClassVar = "rollout-revert"
    title: ClassVar = "Revert rollout"
    help: ClassVar = "have all devices run the version before again"
    key: ClassVar = "B"
    phases: ClassVar[tuple[RolloutPhase, ...]] = (*UNDER_WAY, RolloutPhase.ABORTED)
    parameters: ClassVar = RolloutOperation.parameters

    def verb(self, request: Request) -> RolloutVerb:
        """Revert it."""
        del request
        return RolloutVerb.REVERT
