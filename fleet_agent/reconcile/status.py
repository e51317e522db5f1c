"""What a device tells of a deployment, in Kubernetes' words: a pure function of what is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.back_off import delay_s
from fleet_agent.reconcile.decisions import restarts
from fleet_agent.reconcile.proofs import next_init
from fleet_agent.reconcile.reasons import (
    CONFIG_ERROR,
    ERR_IMAGE_NEVER_PULL,
    ERR_IMAGE_PULL,
    INIT_TIMEOUT,
    OOM_KILLED,
    START_ERROR,
)
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.scores import RestartPolicy
from fleet_core.contracts.states import (
    FAILURE_LOG_MAX_BYTES,
    ContainerState,
    ContainerStatus,
    Failure,
    Phase,
    RunningState,
    TerminatedState,
    WaitingState,
)
from fleet_core.contracts.text import clip_utf8

if TYPE_CHECKING:
    from fleet_agent.reconcile.memory import Fallback
    from fleet_agent.reconcile.progress import Progress, PullProgress
    from fleet_agent.reconcile.runs import ContainerProgress, Ended
    from fleet_agent.reconcile.seen import Desired, Seen
    from fleet_agent.runtime.contract import Snapshot
    from fleet_core.contracts.containers import InitContainer, Service

POD_INITIALIZING: Final = "PodInitializing"
CONTAINER_CREATING: Final = "ContainerCreating"
CRASH_LOOP_BACK_OFF: Final = "CrashLoopBackOff"
IMAGE_PULL_BACK_OFF: Final = "ImagePullBackOff"
RUNNING: Final = "Running"
NOT_READY: Final = "ContainersNotReady"
"""The kubelet's reason of a Pod's condition ``Ready`` while its containers run, and are not."""
ROLLED_BACK: Final = "RolledBack"
UNHEALTHY: Final = "Unhealthy"
"""The kubelet's reason of the event that a failed probe gives."""
INVALID_SPEC: Final = "InvalidSpec"
RUNTIME_UNAVAILABLE: Final = "RuntimeUnavailable"
_ERROR_MAX: Final = 1_024
_EXIT_KILLED: Final = 137
_EXIT_START_ERROR: Final = 128
"""What the kubelet writes for a container that never started."""
_SIGNAL_BASE: Final = 128
_SIGNAL_MAX: Final = 64
_MESSAGE_MAX: Final = 256


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
        _init_status(container, index - turn, own, progress, now_s)
        for index, container in enumerate(desired.score.init_containers)
    )
    services = tuple(
        _service_status(container, desired, own, progress, now_s)
        for container in desired.score.services
    )
    failure = _failure(desired, own, progress, turn)
    return Status(
        _phase(desired, own, progress, services),
        _reason(inits, services, initialised=progress.initialised),
        inits,
        services,
        failure,
        _last_error(failure, inits, progress),
    )


def _init_status(
    container: InitContainer, place: int, own: Seen, progress: Progress, now_s: float
) -> ContainerStatus:
    """Return an init container's status; ``place`` is below 0 for those that are done."""
    known = progress.of(container.name)
    found = own.find(Role.INIT, container.name)
    state = _waiting(POD_INITIALIZING)
    last_state = _terminated(known.before_last)
    if progress.initialised or place < 0:
        # Where its record was removed by hand, what came after it proves the success.
        done = _terminated(known.last)
        state = done if known.last else ContainerState(terminated=_PROVED)
    elif place == 0 and found is not None and found.state is not RunState.EXITED:
        state, last_state = _running(found, POD_INITIALIZING), _terminated(known.last)
    elif place == 0:
        pull = progress.pull_of(container.image)
        state, last_state = _not_running(known, pull, now_s, POD_INITIALIZING)
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=state,
        last_state=last_state,
        restart_count=max(0, known.attempt),
        ready=state.terminated is not None and state.terminated.exit_code == 0,
    )


def _service_status(
    container: Service, desired: Desired, own: Seen, progress: Progress, now_s: float
) -> ContainerStatus:
    known = progress.of(container.name)
    found = own.find(Role.SERVICE, container.name)
    health = own.health.get(container.name)
    before = CONTAINER_CREATING if progress.initialised else POD_INITIALIZING
    if not progress.initialised:
        state, last_state = _waiting(before), _UNKNOWN
        # A pull is tried before its turn only while an older spec's services still run.
        if (pull := progress.pull_of(container.image)).error:
            state, last_state = _not_running(known, pull, now_s, before)
    elif found is not None and found.state is not RunState.EXITED:
        state, last_state = _running(found, before), _terminated(known.last)
    elif known.last and not restarts(container, desired.score.restart_policy, known.last):
        state, last_state = _terminated(known.last), _terminated(known.before_last)
    else:
        pull = progress.pull_of(container.image)
        state, last_state = _not_running(known, pull, now_s, before)
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=state,
        last_state=last_state,
        restart_count=max(0, known.attempt),
        ready=state.running is not None and (health is None or health.ready),
    )


def _running(found: Snapshot, before: str) -> ContainerState:
    if found.state is RunState.CREATED:
        return _waiting(before)
    return ContainerState(running=RunningState(started_at=_moment(found.started_at_s)))


def _not_running(
    known: ContainerProgress, pull: PullProgress, now_s: float, before: str
) -> tuple[ContainerState, ContainerState]:
    """Return (state, last state) of a container that waits to be started (again)."""
    if pull.error:
        backs_off = pull.reason == ERR_IMAGE_PULL and pull.back_off.remaining_s(now_s) > 0
        reason = IMAGE_PULL_BACK_OFF if backs_off else pull.reason
        return _waiting(reason, pull.error[:_MESSAGE_MAX]), _terminated(known.last)
    if known.last is None:
        return _waiting(before, pull.note), _UNKNOWN
    if known.last.reason == CONFIG_ERROR:
        return _waiting(CONFIG_ERROR, known.last.message[:_MESSAGE_MAX]), _UNKNOWN
    if known.back_off.remaining_s(now_s):
        waits = f"back-off {delay_s(known.back_off.ends):.0f}s restarting failed container"
        return _waiting(CRASH_LOOP_BACK_OFF, waits), _terminated(known.last)
    return _terminated(known.last), _terminated(known.before_last)


@lru_cache(maxsize=256)
def _waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=WaitingState(reason=reason, message=message))


def _terminated(ended: Ended | None) -> ContainerState:
    if ended is None:
        return _UNKNOWN
    code = ended.exit_code
    if code is None:
        code = _EXIT_START_ERROR if ended.reason == START_ERROR else _EXIT_KILLED
    signal = code - _SIGNAL_BASE
    return ContainerState(
        terminated=TerminatedState(
            exit_code=code,
            signal=signal if 0 < signal <= _SIGNAL_MAX else None,
            reason=ended.reason,
            message=ended.message[:_MESSAGE_MAX],
            started_at=_moment(ended.started_at_s),
            finished_at=_moment(ended.finished_at_s),
        )
    )


_UNKNOWN: Final = ContainerState()
_PROVED: Final = TerminatedState(exit_code=0, reason="Completed")


def _moment(unix_s: float | None) -> datetime | None:
    return None if unix_s is None else datetime.fromtimestamp(round(unix_s, 3), UTC)


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


def _failure(desired: Desired, own: Seen, progress: Progress, turn: int) -> Failure | None:
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


def _last_error(
    failure: Failure | None, inits: tuple[ContainerStatus, ...], progress: Progress
) -> str | None:
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
        return f"is not healthy: {failure.log[:_MESSAGE_MAX]}"
    if failure.cause in {ERR_IMAGE_PULL, ERR_IMAGE_NEVER_PULL}:
        return f"waits for its image: {failure.log[:_MESSAGE_MAX]}"
    if failure.cause == INIT_TIMEOUT:
        return last.message if last is not None else "ran into its timeout"
    if failure.cause == CONFIG_ERROR and last is not None:
        return f"cannot be created: {last.message}"
    if failure.cause == OOM_KILLED:
        return "was killed: it used more memory than it may"
    said = f"exited {failure.exit_code}" if failure.exit_code is not None else "did not start"
    return f"{said}: {last.message}" if last is not None and last.message else said
