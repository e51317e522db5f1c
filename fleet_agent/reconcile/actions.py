"""Doing what was decided: each action ends in a change of the deployment's progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.observation import last_lines, save_log
from fleet_agent.reconcile.reasons import (
    CONFIG_ERROR,
    ERR_IMAGE_NEVER_PULL,
    ERR_IMAGE_PULL,
    INIT_TIMEOUT,
    START_ERROR,
    explain_exit,
)
from fleet_agent.reconcile.runs import Ended, ended_from
from fleet_agent.runtime.contract import (
    ContainerConfigError,
    ContainerKey,
    ContainerSpec,
    ContainerStartError,
    Exited,
    ImageNeverPulledError,
    ImageNotFoundError,
    ImagePullError,
    Role,
    RunState,
)
from fleet_core.contracts.containers import InitContainer, RunPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.reconcile.decisions import (
        PullImage,
        Remove,
        RunInit,
        StartService,
        StopUnhealthy,
    )
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.seen import Desired
    from fleet_agent.reconcile.surroundings import Surroundings
    from fleet_agent.runtime.contract import TimedOut
    from fleet_core.contracts.containers import Service
    from fleet_core.errors import FleetError

    Change = Callable[[Progress], Progress]
    """What an action's end does to the progress that there is by then."""


NOT_STARTED: Final = (ContainerStartError, ContainerConfigError, ImageNotFoundError)


def unchanged(progress: Progress) -> Progress:
    """Change nothing."""
    return progress


async def remove(around: Surroundings, action: Remove) -> Change:
    """Stop and remove containers, all at once, and let go of their logs."""

    async def one(key: ContainerKey) -> None:
        await around.runtime.stop(key)
        await around.runtime.remove(key)
        around.saved_logs.forget(key)

    async with asyncio.TaskGroup() as group:
        for key in action.keys:
            group.create_task(one(key))
    return unchanged


async def pull_image(
    around: Surroundings, action: PullImage, note: Callable[[str, str], None]
) -> Change:
    """Have an image here, few at a time on one device; ``note(image, words)`` hears how far."""
    image = action.image
    async with around.pulls:
        try:
            await around.runtime.pull_image(image, action.policy, lambda words: note(image, words))
        except (ImageNotFoundError, ImageNeverPulledError, ImagePullError) as error:
            never = isinstance(error, ImageNeverPulledError)
            reason = ERR_IMAGE_NEVER_PULL if never else ERR_IMAGE_PULL
            message, now = error.message, around.moment()
            return lambda progress: progress.with_pull_failed(image, message, now, reason)
    now = around.moment()
    return lambda progress: progress.with_pulled(image, now)


async def stop_unhealthy(
    around: Surroundings, deployment: str, desired: Desired, action: StopUnhealthy
) -> Change:
    """Stop a service that its probes found dead; what comes then, its restart policy says."""
    service = desired.score.services[action.index]
    key = ContainerKey(deployment, service.name)
    await around.runtime.stop(key, service.stop_grace_s)
    found = await around.runtime.container_status(key)
    if found is None or found.attempt != action.attempt or found.state is not RunState.EXITED:
        return unchanged
    ended = ended_from(found, await save_log(around, found), because=action.why)
    now = around.moment()
    return lambda progress: progress.with_ended(service.name, ended, now)


async def start_service(
    around: Surroundings, deployment: str, desired: Desired, action: StartService
) -> Change:
    """Start a service."""
    service = desired.score.services[action.index]
    spec = _spec(around, deployment, desired, service, action.attempt)
    try:
        await around.runtime.ensure_service_running(spec)
    except NOT_STARTED as error:
        return _not_started(around, spec, error)
    now = around.moment()

    def change(progress: Progress) -> Progress:
        progress = progress.with_started(service.name, action.attempt)
        # Being started again and again is no progress.
        return progress.with_progress(now) if action.attempt == 0 else progress

    return change


async def run_init(
    around: Surroundings, deployment: str, desired: Desired, action: RunInit
) -> Change:
    """Run an init container to its end or its timeout, and save its log."""
    container = desired.score.init_containers[action.index]
    spec = _spec(around, deployment, desired, container, action.attempt)
    try:
        outcome = await around.runtime.run_to_completion(spec, container.timeout)
    except NOT_STARTED as error:
        return _not_started(around, spec, error)
    around.saved_logs.save(spec.key, action.attempt, outcome.log)
    ended, now = _ended(outcome, action.attempt, container.timeout), around.moment()

    def change(progress: Progress) -> Progress:
        progress = progress.with_ended(container.name, ended, now)
        once = container.run_policy is RunPolicy.ONCE_PER_VERSION
        counts = once and ended.succeeded
        return progress.with_completed_once(container.name) if counts else progress

    return change


def _spec(
    around: Surroundings,
    deployment: str,
    desired: Desired,
    container: InitContainer | Service,
    attempt: int,
) -> ContainerSpec:
    key = ContainerKey(deployment, container.name)
    role = Role.INIT if isinstance(container, InitContainer) else Role.SERVICE
    return ContainerSpec(key, container, role, desired.spec_hash, around.boot_id, attempt)


def _not_started(around: Surroundings, spec: ContainerSpec, error: FleetError) -> Change:
    name, image, now = spec.key.container, spec.container.image, around.moment()
    exit_code, reason, message = _why_not_started(error)
    ended = Ended(spec.attempt, exit_code, reason, message, now.unix_s, now.unix_s)

    def change(progress: Progress) -> Progress:
        if isinstance(error, ImageNotFoundError):
            progress = progress.without_image(image)
        return progress.with_ended(name, ended, now)

    return change


def _why_not_started(error: FleetError) -> tuple[int | None, str, str]:
    """Return (exit code, reason, message), in Kubernetes' words."""
    if isinstance(error, ContainerConfigError):
        return None, CONFIG_ERROR, str(error)
    if isinstance(error, ContainerStartError):
        _, meaning = explain_exit(error.exit_code, oom_killed=False)
        return error.exit_code, START_ERROR, f"{meaning}: {error.message}"
    return None, START_ERROR, error.message


def _ended(outcome: Exited | TimedOut, attempt: int, timeout_s: int) -> Ended:
    if isinstance(outcome, Exited):
        exit_code: int | None = outcome.exit_code
        reason, message = explain_exit(outcome.exit_code, oom_killed=outcome.oom_killed)
    else:
        exit_code, reason = None, INIT_TIMEOUT
        message = f"ran longer than its timeout of {timeout_s} s"
    return Ended(
        attempt,
        exit_code,
        reason,
        message,
        outcome.started_at_s,
        outcome.finished_at_s,
        last_lines(outcome.log),
    )
