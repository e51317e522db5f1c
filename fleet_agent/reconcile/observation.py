"""Looking at a deployment's containers, and folding what is seen into its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.progress import (
    STATUS_UNKNOWN,
    Ended,
    Progress,
    Seen,
    ended_from,
    newly_ended,
    observed,
    vanished,
)
from fleet_core.contracts.states import FAILURE_LOG_MAX_BYTES
from fleet_core.contracts.text import clip_utf8
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.reconcile.progress import Desired
    from fleet_agent.reconcile.surroundings import Surroundings
    from fleet_agent.runtime.contract import LogLine, Snapshot

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
        progress = Progress(pulls=progress.pulls)
    own, _ = seen.split(desired, around.boot_id)
    for found in newly_ended(progress, own):
        last_lines = await _save_log(around, found)
        ended = ended_from(found, last_lines)
        progress = progress.with_ended(found.key.container, ended, around.moment())
    if not progress.starting_over:
        for name in vanished(progress, desired, own):
            progress = progress.with_ended(name, _gone(progress, name), around.moment())
    return observed(progress, desired, own)


async def _save_log(around: Surroundings, found: Snapshot) -> str:
    try:
        lines = await around.runtime.logs(found.key, tail=SAVED_LOG_LINES)
    except NotFoundError:
        return ""
    around.saved_logs.save(found.key, found.attempt, lines)
    return last_lines(lines)


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
