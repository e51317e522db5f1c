"""Looking at a deployment's containers, and folding what is seen into its progress."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleet_agent.health.monitor import Running
from fleet_agent.reconcile.progress import Progress, pulls_for
from fleet_agent.reconcile.proofs import newly_ended, observed, vanished
from fleet_agent.reconcile.reasons import STATUS_UNKNOWN
from fleet_agent.reconcile.runs import Ended, ended_from
from fleet_agent.reconcile.seen import Seen
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.containers import RunPolicy
from fleet_core.contracts.states import FAILURE_LOG_MAX_BYTES
from fleet_core.contracts.text import clip_utf8
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.reconcile.seen import Desired
    from fleet_agent.reconcile.surroundings import Surroundings
    from fleet_agent.runtime.contract import ContainerKey, LogLine, Snapshot

SAVED_LOG_LINES: Final = 1_000


async def look(around: Surroundings, deployment: str, *, inits: bool) -> Seen:
    """Return the deployment's containers; without ``inits`` only its services.

    Raises:
        RuntimeUnavailableError: the runtime does not answer.
    """
    services = tuple(await around.runtime.list_managed_services(deployment))
    if not inits:
        return Seen(services)
    return Seen(services, tuple(await around.runtime.list_init_containers(deployment)))


async def fold(around: Surroundings, desired: Desired, seen: Seen, progress: Progress) -> Progress:
    """Return the progress with what was seen; saves the logs of runs that have ended.

    Raises:
        RuntimeUnavailableError: the runtime does not answer.
    """
    if progress.starting_over and not any(seen):
        progress = Progress(pulls=pulls_for(progress, desired))
    own, _ = seen.split(desired, around.boot_id)
    for found in newly_ended(progress, own):
        last_lines = await save_log(around, found)
        ended = ended_from(found, last_lines)
        progress = progress.with_ended(found.key.container, ended, around.moment())
        progress = _completed_once(progress, desired, found)
    if not progress.starting_over:
        for name in vanished(progress, desired, own):
            progress = progress.with_ended(name, _gone(progress, name), around.moment())
    return observed(progress, desired, own)


async def save_log(around: Surroundings, found: Snapshot) -> str:
    """Keep the end of a finished run's log; returns its last lines."""
    try:
        lines = await around.runtime.logs(found.key, tail=SAVED_LOG_LINES)
    except NotFoundError:
        return ""
    around.saved_logs.save(found.key, found.attempt, lines)
    return last_lines(lines)


def _completed_once(progress: Progress, desired: Desired, found: Snapshot) -> Progress:
    once = any(
        container.name == found.key.container and container.run_policy is RunPolicy.ONCE_PER_VERSION
        for container in desired.score.init_containers
    )
    return (
        progress.with_completed_once(found.key.container)
        if once and not found.exit_code
        else progress
    )


def last_lines(lines: Sequence[LogLine]) -> str:
    """Return what of a log goes into a failure: its last whole lines, bounded."""
    text = "\n".join(line.text.replace("\0", "") for line in lines[-40:])
    clipped = clip_utf8(text, FAILURE_LOG_MAX_BYTES)
    if len(clipped) < len(text) and "\n" in clipped:
        return clipped.partition("\n")[2]
    return clipped


def _gone(progress: Progress, name: str) -> Ended:
    attempt = progress.of(name).attempt
    return Ended(attempt, None, STATUS_UNKNOWN, "the container is gone")


def needs_inits(progress: Progress) -> bool:
    """Tell whether init containers matter still: they are looked at until all are done."""
    return not progress.initialised or progress.starting_over


def with_health(
    around: Surroundings, deployment: str, desired: Desired, seen: Seen, progress: Progress
) -> Seen:
    """Have the running services' health checked, and return what was seen with what is known."""
    own, _ = seen.split(desired, around.boot_id)
    now = around.moment()
    following: dict[ContainerKey, Running] = {}
    for service in desired.score.services:
        found = own.find(Role.SERVICE, service.name)
        if found is not None and found.state is RunState.RUNNING:
            age_s = max(0.0, now.unix_s - (found.started_at_s or now.unix_s))
            following[found.key] = Running(
                found.container_id,
                service.health,
                now.monotonic_s - age_s,
                # Known of an agent before this one, or of the check before this look.
                assume_started=progress.ready_since_s is not None,
            )
    around.health.follow(deployment, following)
    health = {
        key.container: around.health.of(key, running.container_id)
        for key, running in following.items()
    }
    return replace(seen, health=health)
