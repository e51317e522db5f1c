"""Doing what was decided: each action ends in a change of the deployment's progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet_agent.reconcile.observation import last_lines
from fleet_agent.reconcile.progress import (
    INIT_TIMEOUT,
    START_ERROR,
    Ended,
    explain_exit,
)
from fleet_agent.runtime.contract import (
    ContainerKey,
    ContainerSpec,
    ContainerStartError,
    Exited,
    ImageNotFoundError,
    ImagePullError,
    Role,
)
from fleet_core.contracts.containers import InitContainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.reconcile.decisions import PullImage, Remove, RunInit, StartService
    from fleet_agent.reconcile.progress import Desired, Progress
    from fleet_agent.reconcile.surroundings import Surroundings
    from fleet_agent.runtime.contract import TimedOut
    from fleet_core.contracts.containers import Service
    from fleet_core.errors import FleetError

    Change = Callable[[Progress], Progress]
    """What an action's end does to the progress that there is by then."""


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


async def pull_image(around: Surroundings, action: PullImage) -> Change:
    """Pull an image; few at a time on one device."""
    image = action.image
    async with around.pulls:
        try:
            await around.runtime.pull_image(image)
        except (ImageNotFoundError, ImagePullError) as error:
            message, now = error.message, around.moment()
            return lambda progress: progress.with_pull_failed(image, message, now)
    return lambda progress: progress.with_pulled(image)


async def start_service(
    around: Surroundings, deployment: str, desired: Desired, action: StartService
) -> Change:
    """Start a service."""
    service = desired.score.services[action.index]
    spec = _spec(around, deployment, desired, service, action.attempt)
    try:
        await around.runtime.ensure_service_running(spec)
    except (ContainerStartError, ImageNotFoundError) as error:
        return _not_started(around, spec, error)
    return lambda progress: progress.with_started(service.name, action.attempt)


async def run_init(
    around: Surroundings, deployment: str, desired: Desired, action: RunInit
) -> Change:
    """Run an init container to its end or its timeout, and save its log."""
    container = desired.score.init_containers[action.index]
    spec = _spec(around, deployment, desired, container, action.attempt)
    try:
        outcome = await around.runtime.run_to_completion(spec, container.timeout)
    except (ContainerStartError, ImageNotFoundError) as error:
        return _not_started(around, spec, error)
    around.saved_logs.save(spec.key, action.attempt, outcome.log)
    ended, now = _ended(outcome, action.attempt, container.timeout), around.moment()
    return lambda progress: progress.with_ended(container.name, ended, now)


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
    ended = Ended(spec.attempt, None, START_ERROR, error.message, now.unix_s, now.unix_s)

    def change(progress: Progress) -> Progress:
        if isinstance(error, ImageNotFoundError):
            progress = progress.without_image(image)
        return progress.with_ended(name, ended, now)

    return change


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
