"""What containers that are seen prove of a deployment: who has ended, whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fleet_agent.runtime.contract import Role, RunState, Snapshot
from fleet_core.contracts.containers import InitContainer, RunPolicy

if TYPE_CHECKING:
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.runs import ContainerProgress
    from fleet_agent.reconcile.seen import Desired, Seen


def newly_ended(progress: Progress, own: Seen) -> tuple[Snapshot, ...]:
    """Return the exited containers whose end the progress does not know yet."""
    return tuple(
        found
        for found in own
        if found.state is RunState.EXITED
        and not _knows_end(progress.of(found.key.container), found)
    )


def _knows_end(known: ContainerProgress, found: Snapshot) -> bool:
    return known.last is not None and known.last.attempt >= found.attempt


def vanished(progress: Progress, desired: Desired, own: Seen) -> tuple[str, ...]:
    """Return the services that were started, are not known to have ended, and are not there."""
    return tuple(
        service.name
        for service in desired.score.services
        if own.find(Role.SERVICE, service.name) is None
        and (known := progress.of(service.name)).attempt >= 0
        and (known.last is None or known.last.attempt < known.attempt)
    )


def observed(progress: Progress, desired: Desired, own: Seen) -> Progress:
    """Return the progress with what the containers themselves prove.

    A service container of this spec in this boot proves that all init containers succeeded.
    """
    for found in own:
        if progress.of(found.key.container).attempt < found.attempt:
            progress = progress.with_started(found.key.container, found.attempt)
    initialised = (
        progress.initialised
        or bool(own.services)
        or next_init(progress, desired, own) == len(desired.score.init_containers)
    )
    return replace(progress, initialised=initialised)


def next_init(progress: Progress, desired: Desired, own: Seen) -> int:
    """Return the index of the init container whose turn it is; their number if all are done."""
    index = _next_unproved(progress, desired, own)
    containers = desired.score.init_containers
    while index < len(containers) and _is_completed_once(containers[index], progress):
        index += 1
    return index


def _is_completed_once(container: InitContainer, progress: Progress) -> bool:
    once = container.run_policy is RunPolicy.ONCE_PER_VERSION
    return once and container.name in progress.completed_once


def _next_unproved(progress: Progress, desired: Desired, own: Seen) -> int:
    """Return the index after the last one that is known to have succeeded in this boot.

    Looked for from the last to the first, as the kubelet does: one that runs or has run proves
    that those before it succeeded, even if their records are gone.
    """
    containers = desired.score.init_containers
    for index in range(len(containers) - 1, -1, -1):
        name = containers[index].name
        found = own.find(Role.INIT, name)
        if found is not None and found.state is not RunState.EXITED:
            return index
        last = progress.of(name).last
        if last is not None:
            return index + 1 if last.succeeded else index
    return 0
