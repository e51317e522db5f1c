"""One Deployment before and after: read, merged as Kubernetes does, written by compare-and-set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_core.contracts.base import encode
from fleet_core.contracts.rollouts import COMMANDS_ANNOTATION
from fleet_core.errors import ConflictError, FleetError, RefusedError
from fleet_core.operations.plans import TargetResult
from fleet_core.operations.replies import failed

if TYPE_CHECKING:
    from datetime import datetime

    from fleet_core.contracts.resources import Deployment
    from fleet_core.operations.deployment_stores import Stored
    from fleet_core.operations.live import LiveFleet


@dataclass(frozen=True, slots=True)
class Change:
    """One Deployment before and after."""

    namespace: str
    name: str
    before: Stored | None
    after: Deployment | None
    """None where it is deleted."""

    @property
    def target(self) -> str:
        """Namespace and name, as results tell it."""
        return f"{self.namespace}/{self.name}"

    @property
    def old(self) -> Deployment | None:
        """What is stored, where it is sound."""
        return self.before.deployment if self.before is not None else None

    @property
    def is_needed(self) -> bool:
        """Whether anything would be different."""
        return self.after is None or self.old is None or encode(self.old) != encode(self.after)


async def read_stored(fleet: LiveFleet, namespace: str, name: str) -> Stored | None:
    """Return what is stored of a Deployment; None if nothing is."""
    return await fleet.deployments.read(namespace, name)


def merged(new: Deployment, old: Deployment | None, now: datetime) -> Deployment:
    """Return what is to be stored: the new one, with what only the store knows.

    As in Kubernetes, the generation counts changes of the spec; metadata alone does not move it.
    """
    known: dict[str, Any]
    if old is None:
        known = {"generation": 1, "creation_timestamp": now.replace(microsecond=0)}
    else:
        moved = encode(old.spec) != encode(new.spec)
        known = {
            "generation": max(1, old.metadata.generation + moved),
            "creation_timestamp": old.metadata.creation_timestamp,
        }
        told = old.metadata.annotations.get(COMMANDS_ANNOTATION)
        if told is not None:
            # What people told the rollout stands beside what they apply.
            annotations = {COMMANDS_ANNOTATION: told, **new.metadata.annotations}
            known["annotations"] = annotations
    return new.model_copy(update={"metadata": new.metadata.model_copy(update=known)})


async def carry_out(fleet: LiveFleet, change: Change) -> TargetResult:
    """Write or delete a Deployment, unless somebody else wrote it since the plan was made."""
    store = fleet.deployments
    try:
        await store.check()
        if change.after is None:
            await store.delete(change.namespace, change.name, change.before)
        elif change.before is None:
            await store.create(change.after)
        else:
            await store.update(change.after, change.before)
    except RefusedError as error:
        return failed(change.target, error)
    except FleetError as error:
        return await _judged(fleet, change, error)
    return _done(change)


def _done(change: Change) -> TargetResult:
    if change.after is None:
        return TargetResult(change.target, ok=True, message="deleted")
    done = "created" if change.before is None else "changed"
    generation = change.after.metadata.generation
    message, data = f"{done}, generation {generation}", {"generation": generation}
    return TargetResult(change.target, ok=True, message=message, data=data)


async def _judged(fleet: LiveFleet, change: Change, error: FleetError) -> TargetResult:
    """Return what became of a write that raised: it may have been applied all the same."""
    try:
        stored = await read_stored(fleet, change.namespace, change.name)
    except FleetError:
        return failed(change.target, error)
    found = stored.deployment if stored is not None else None
    if change.after is None and stored is None:
        return _done(change)
    if change.after is not None and found is not None and encode(found) == encode(change.after):
        return _done(change)
    if isinstance(error, ConflictError):
        error = ConflictError(
            "somebody else changed it since the plan was made", remedy="look at it and do it again"
        )
    return failed(change.target, error)
