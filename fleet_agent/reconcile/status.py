"""What a device tells of a deployment, in Kubernetes' words: a pure function of what is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.container_statuses import init_status, service_status
from fleet_agent.reconcile.decisions import restarts
from fleet_agent.reconcile.failures import describe_failure, find_failure
from fleet_agent.reconcile.proofs import next_init
from fleet_agent.reconcile.reasons import (
    INVALID_SPEC,
    NOT_READY,
    POD_INITIALIZING,
    ROLLED_BACK,
    RUNNING,
    RUNTIME_UNAVAILABLE,
)
from fleet_core.contracts.scores import RestartPolicy
from fleet_core.contracts.states import ContainerStatus, Failure, Phase

if TYPE_CHECKING:
    from fleet_agent.reconcile.memory import Fallback
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.seen import Desired, Seen

_ERROR_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Status:
    """Everything of a DeploymentState but whose it is and when."""

    phase: Phase
    reason: str
    inits: tuple[ContainerStatus, ...] = ()
    services: tuple[ContainerStatus, ...] = ()
    failure: Failure | None = None
    last_error: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every service does what it is for."""
        return self.phase is Phase.RUNNING


def rolled_back(fallback: Fallback, running: Status) -> Status:
    """Return the status of a wish that was given up: Failed, with what runs in its place."""
    message = f"rolled back to the last good version, which is {running.reason}: {fallback.message}"
    return replace(
        running,
        phase=Phase.FAILED,
        reason=ROLLED_BACK,
        last_error=message[:_ERROR_MAX],
        failure=fallback.failure,
    )


def refused(message: str, running: Status | None) -> Status:
    """Return the status under a malformed spec: Failed, with what goes on running meanwhile."""
    before = Status(Phase.FAILED, INVALID_SPEC) if running is None else running
    return replace(
        before, phase=Phase.FAILED, reason=INVALID_SPEC, last_error=message, failure=None
    )


def unavailable(message: str) -> Status:
    """Return the status while the container runtime does not answer: nothing is known."""
    return Status(Phase.PENDING, RUNTIME_UNAVAILABLE, last_error=message[:_ERROR_MAX])


def status(desired: Desired, own: Seen, progress: Progress, now_s: float) -> Status:
    """Return the deployment's status; ``now_s`` is monotonic."""
    turn = next_init(progress, desired, own)
    inits = tuple(
        init_status(container, index - turn, own, progress, now_s)
        for index, container in enumerate(desired.score.init_containers)
    )
    services = tuple(
        service_status(container, desired, own, progress, now_s)
        for container in desired.score.services
    )
    failure = find_failure(desired, own, progress, turn)
    return Status(
        _phase(desired, own, progress, services),
        _reason(inits, services, initialised=progress.initialised),
        inits,
        services,
        failure,
        describe_failure(failure, inits, progress),
    )


def _phase(
    desired: Desired, own: Seen, progress: Progress, services: tuple[ContainerStatus, ...]
) -> Phase:
    """Return Running when all that should be up is up, Failed when the policy gave up.

    A crash loop is Pending: Kubernetes would say Running, and count a broken device as well.
    """
    policy = desired.score.restart_policy
    if not progress.initialised:
        index = next_init(progress, desired, own)
        last = progress.of(desired.score.init_containers[index].name).last
        gave_up = last is not None and policy is RestartPolicy.NEVER
        return Phase.FAILED if gave_up else Phase.PENDING
    phase = Phase.RUNNING
    for container, told in zip(desired.score.services, services, strict=True):
        last = progress.of(container.name).last
        if told.ready:
            continue
        if last is None or restarts(container, policy, last):
            phase = Phase.PENDING
        elif not last.succeeded:
            return Phase.FAILED
    return phase


def _reason(
    inits: tuple[ContainerStatus, ...],
    services: tuple[ContainerStatus, ...],
    *,
    initialised: bool,
) -> str:
    """Return what ``kubectl get pods`` would show under STATUS."""
    if not initialised:
        for index, told in enumerate(inits):
            ended, waiting = told.state.terminated, told.state.waiting
            if ended is not None and ended.exit_code == 0:
                continue
            if ended is not None:
                return f"Init:{ended.reason}"
            if waiting is not None and waiting.reason != POD_INITIALIZING:
                return f"Init:{waiting.reason}"
            return f"Init:{index}/{len(inits)}"
    reasons = [_service_reason(told) for told in services]
    troubles = [reason for reason in reasons if reason not in {RUNNING, "Completed"}]
    if troubles:
        return troubles[0]
    return RUNNING if RUNNING in reasons else "Completed"


def _service_reason(told: ContainerStatus) -> str:
    if told.state.waiting is not None:
        return told.state.waiting.reason
    if told.state.terminated is not None:
        return told.state.terminated.reason
    return RUNNING if told.ready else NOT_READY
