"""Undo: apply an earlier version of a Deployment's score again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.scores import spec_hash
from fleet_core.errors import NotFoundError
from fleet_core.operations import parameters, targets
from fleet_core.operations.apply import Apply
from fleet_core.operations.buckets import LABEL_BUCKETS, ROLLOUT_BUCKETS
from fleet_core.operations.changes import read_stored
from fleet_core.operations.operation import Parameter, ParameterKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.contracts.rollouts import Revision
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Plan, Request

TO_REVISION: Final = Parameter(
    "revision",
    "the version to go back to, as rollout history lists them (default: the one before)",
    flags=("--to-revision",),
    metavar="NUMBER",
    kind=ParameterKind.COUNT,
)


class Undo(Apply):
    """Apply an earlier version again."""

    id: ClassVar = "rollout-undo"
    title: ClassVar = "Undo"
    help: ClassVar = "apply an earlier version again, by the same rollout as any other change"
    key: ClassVar = "U"
    group: ClassVar = "rollout"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        parameters.DEPLOYMENT,
        TO_REVISION,
        parameters.NAMESPACE,
    )

    def buckets(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002 - the same for all
        """Selectors look at labels, and versions are kept in a bucket of their own."""
        return (*LABEL_BUCKETS, *ROLLOUT_BUCKETS)

    async def plan(self, fleet: LiveFleet, request: Request) -> Plan:
        """Plan it as the apply of the version that is meant."""
        await fleet.deployments.check()
        name = targets.deployment_name(request)
        stored = await read_stored(fleet, request.namespace, name)
        if stored is None or stored.deployment is None:
            raise NotFoundError(
                f"there is no deployment {request.namespace}/{name}",
                remedy="fleet get deployments lists them",
            )
        present = stored.deployment
        known = fleet.view.revisions.get(present.key, {})
        meant = chosen_revision(known.values(), spec_hash(present.spec.score), request.revision)
        spec = present.spec.model_copy(update={"score": meant.score})
        manifest = encode(present.model_copy(update={"spec": spec}))
        plan = await super().plan(fleet, replace(request, manifest=manifest, source="-"))
        words = (self.group, self.word, name, "--to-revision", str(meant.number))
        return replace(
            plan,
            operation=self.id,
            title=f"go back to revision {meant.number}: {plan.title}",
            command=targets.command(fleet, request, *words, *targets.namespace_words(request)),
        )


def chosen_revision(known: Iterable[Revision], present_hash: str, number: int | None) -> Revision:
    """Return the version that is meant; raises NotFoundError where it is not kept."""
    ordered = sorted(known, key=lambda revision: -revision.number)
    if number is not None:
        found = next((each for each in ordered if each.number == number), None)
    else:
        found = next((each for each in ordered if each.spec_hash != present_hash), None)
    if found is None:
        kept = ", ".join(str(revision.number) for revision in ordered) or "none"
        what = f"revision {number}" if number is not None else "version before the present one"
        raise NotFoundError(f"there is no {what}", remedy=f"kept revisions: {kept}")
    return found
