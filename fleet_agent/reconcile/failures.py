"""What holds a deployment back, and the sentence that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_agent.reconcile.container_statuses import MESSAGE_MAX
from fleet_agent.reconcile.reasons import (
    CONFIG_ERROR,
    ERR_IMAGE_NEVER_PULL,
    ERR_IMAGE_PULL,
    INIT_TIMEOUT,
    OOM_KILLED,
    UNHEALTHY,
)
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.states import FAILURE_LOG_MAX_BYTES, ContainerStatus, Failure
from fleet_core.contracts.text import clip_utf8

if TYPE_CHECKING:
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.runs import Ended
    from fleet_agent.reconcile.seen import Desired, Seen
    from fleet_core.contracts.containers import InitContainer, Service


def find_failure(desired: Desired, own: Seen, progress: Progress, turn: int) -> Failure | None:
    """Return what holds the deployment back; an init container's failure stands until it succeeds.

    It stands also while the container runs again: a container that times out every minute would
    otherwise look well most of the time.
    """
    if not progress.initialised:
        container = desired.score.init_containers[turn]
        return _failure_of(container, progress, init=True) or next(
            filter(None, (_failed_pull(each, progress) for each in desired.score.services)), None
        )
    for service in desired.score.services:
        found = own.find(Role.SERVICE, service.name)
        if found is not None and found.state is not RunState.EXITED:
            if (unhealthy := _unhealthy(service, own)) is not None:
                return unhealthy
            continue
        failure = _failure_of(service, progress, init=False)
        if failure is not None:
            return failure
    return None


def _unhealthy(service: Service, own: Seen) -> Failure | None:
    health = own.health.get(service.name)
    why = "" if health is None else health.unhealthy or health.not_ready
    if not why:
        return None
    return Failure(
        container=service.name, cause=UNHEALTHY, log=clip_utf8(why, FAILURE_LOG_MAX_BYTES)
    )


def _failed_pull(container: InitContainer | Service, progress: Progress) -> Failure | None:
    pull = progress.pull_of(container.image)
    if not pull.error:
        return None
    return Failure(container=container.name, cause=pull.reason, log=pull.error)


def _failure_of(
    container: InitContainer | Service, progress: Progress, *, init: bool
) -> Failure | None:
    failed_pull = _failed_pull(container, progress)
    if failed_pull is not None:
        return failed_pull.model_copy(update={"init": init})
    last = progress.of(container.name).last
    if last is None or last.succeeded:
        return None
    return Failure(
        container=container.name,
        init=init,
        cause=last.reason,
        exit_code=last.exit_code,
        log=last.last_lines,
    )


def describe_failure(
    failure: Failure | None, inits: tuple[ContainerStatus, ...], progress: Progress
) -> str | None:
    """Return the sentence that tells of a failure, and who waits for it; None without one."""
    if failure is None:
        return None
    kind = "init container" if failure.init else "container"
    last = progress.of(failure.container).last
    text = f"{kind} {failure.container} {_what_happened(failure, last)}"
    incomplete = [told.name for told in inits if not told.ready]
    if incomplete and not progress.initialised:
        text += f"; containers with incomplete status: [{' '.join(incomplete)}]"
    return text[:1_024]


def _what_happened(failure: Failure, last: Ended | None) -> str:
    if failure.cause == UNHEALTHY:
        return f"is not healthy: {failure.log[:MESSAGE_MAX]}"
    if failure.cause in {ERR_IMAGE_PULL, ERR_IMAGE_NEVER_PULL}:
        return f"waits for its image: {failure.log[:MESSAGE_MAX]}"
    if failure.cause == INIT_TIMEOUT:
        return last.message if last is not None else "ran into its timeout"
    if failure.cause == CONFIG_ERROR and last is not None:
        return f"cannot be created: {last.message}"
    if failure.cause == OOM_KILLED:
        return "was killed: it used more memory than it may"
    said = f"exited {failure.exit_code}" if failure.exit_code is not None else "did not start"
    return f"{said}: {last.message}" if last is not None and last.message else said
