"""The status of each container of a deployment, in Kubernetes' shape and words."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.back_off import delay_s
from fleet_agent.reconcile.decisions import restarts
from fleet_agent.reconcile.reasons import (
    CONFIG_ERROR,
    CONTAINER_CREATING,
    CRASH_LOOP_BACK_OFF,
    ERR_IMAGE_PULL,
    IMAGE_PULL_BACK_OFF,
    POD_INITIALIZING,
    START_ERROR,
)
from fleet_agent.runtime.contract import Role, RunState, Snapshot
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    RunningState,
    TerminatedState,
    WaitingState,
)

if TYPE_CHECKING:
    from fleet_agent.reconcile.progress import Progress, PullProgress
    from fleet_agent.reconcile.runs import ContainerProgress, Ended
    from fleet_agent.reconcile.seen import Desired, Seen
    from fleet_core.contracts.containers import InitContainer, Service

_EXIT_KILLED: Final = 137
_EXIT_START_ERROR: Final = 128
"""What the kubelet writes for a container that never started."""
_SIGNAL_BASE: Final = 128
_SIGNAL_MAX: Final = 64
MESSAGE_MAX: Final = 256


def init_status(
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


def service_status(
    container: Service, desired: Desired, own: Seen, progress: Progress, now_s: float
) -> ContainerStatus:
    """Return a service's status: waiting for the init containers, running, ready, or ended."""
    known = progress.of(container.name)
    found = own.find(Role.SERVICE, container.name)
    health = own.health.get(container.name)
    before = CONTAINER_CREATING if progress.initialised else POD_INITIALIZING
    if not progress.initialised:
        older = container.name in own.older
        state, last_state = _waiting(before, OLDER_SERVES if older else ""), _UNKNOWN
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
        if known.last is None and not pull.error and container.name in own.older:
            state = _waiting(before, OLDER_ENDS)
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
        return _waiting(reason, pull.error[:MESSAGE_MAX]), _terminated(known.last)
    if known.last is None:
        return _waiting(before, pull.note), _UNKNOWN
    if known.last.reason == CONFIG_ERROR:
        return _waiting(CONFIG_ERROR, known.last.message[:MESSAGE_MAX]), _UNKNOWN
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
            message=ended.message[:MESSAGE_MAX],
            started_at=_moment(ended.started_at_s),
            finished_at=_moment(ended.finished_at_s),
        )
    )


_UNKNOWN: Final = ContainerState()
OLDER_ENDS: Final = "an older version of it is being ended"
OLDER_SERVES: Final = "an older version of it goes on serving"
_PROVED: Final = TerminatedState(exit_code=0, reason="Completed")


def _moment(unix_s: float | None) -> datetime | None:
    return None if unix_s is None else datetime.fromtimestamp(round(unix_s, 3), UTC)
