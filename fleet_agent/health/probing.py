"""What the answers to a service's health checks mean: the kubelet's rules, as pure functions.

From Kubernetes, ``pkg/kubelet/prober/worker.go`` (`newWorker`, `run`, `doProbe`) and
``prober_manager.go`` (`UpdatePodStatus`):

- Before anything is known startup has not succeeded, liveness has, readiness has not.
- An answer counts once it came ``success_threshold`` or ``failure_threshold`` times in a row; until
  then the result stays as it was. An answer that could not be had is thrown away: it neither counts
  nor breaks the row.
- A startup or liveness probe that failed means: kill the container. It is then not asked again
  until there is a new container; a startup probe that succeeded is not asked again either.
- Liveness and readiness are not asked before startup has succeeded, where there is such a probe.
- A container is ready when it has started and its readiness probe, if any, has succeeded. Liveness
  has no say in that.
- A probe is asked first ``initial_delay_s`` after the container's start, then on every tick of
  ``period_s``. A tick that falls into a check is made up for at once, more than one only once (Go's
  `time.Ticker`).

One rule is simpler here: the kubelet's ticks go on while startup is awaited, so that liveness is
asked up to a period after startup has succeeded, readiness at once; here both are asked at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.probes import Health, Probe


class ProbeKind(StrEnum):
    """What a probe is for, in the word that the kubelet's messages begin with."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"

    def of(self, health: Health) -> Probe | None:
        """Return the probe of this kind; None where the service has none."""
        match self:
            case ProbeKind.STARTUP:
                return health.startup
            case ProbeKind.LIVENESS:
                return health.liveness
            case ProbeKind.READINESS:
                return health.readiness


INITIALLY: Final = {
    ProbeKind.STARTUP: False,
    ProbeKind.LIVENESS: True,
    ProbeKind.READINESS: False,
}
"""What a probe's result is before it was asked (`newWorker`; its Unknown is "not started")."""


@dataclass(frozen=True, slots=True)
class ProbeState:
    """One probe of one container: its result, the answers that may change it, the next moment."""

    kind: ProbeKind
    probe: Probe
    due_s: float
    """When it is asked next, unless it is settled; on the monotonic clock."""
    succeeded: bool
    """The result that counts."""
    last: bool | None = None
    """The newest answer; None before the first."""
    in_a_row: int = 0
    """How often that answer came, up to now."""
    message: str = ""
    """Of the newest failure; empty when the result is, or became again, a success."""

    @classmethod
    def begin(
        cls, kind: ProbeKind, probe: Probe, due_s: float, *, assume_passed: bool = False
    ) -> ProbeState:
        """Return the state before the first check at ``due_s`` (monotonic seconds).

        ``assume_passed`` is for a container known to be ready: nothing but checks takes that away.
        """
        return cls(kind, probe, due_s, assume_passed or INITIALLY[kind])

    @property
    def must_restart(self) -> bool:
        """Whether the container is to be killed for it."""
        if self.kind is ProbeKind.READINESS or self.last is not False:
            return False
        return self.in_a_row >= self.probe.failure_threshold

    @property
    def next_at_s(self) -> float | None:
        """When it is asked next, in monotonic seconds; None when never again."""
        has_started = self.kind is ProbeKind.STARTUP and self.succeeded
        return None if has_started or self.must_restart else self.due_s

    def after(self, succeeded: bool, message: str, now_s: float) -> ProbeState:  # noqa: FBT001 - the answer
        """Return the state after an answer to the check that began at ``now_s``.

        A settled probe, whose `next_at_s` is None, stays as it is.
        """
        if self.next_at_s is None:
            return self
        in_a_row = self.in_a_row + 1 if succeeded is self.last else 1
        threshold = self.probe.success_threshold if succeeded else self.probe.failure_threshold
        result = succeeded if in_a_row >= threshold else self.succeeded
        said = self.message if succeeded else message
        return replace(
            self.unanswered(now_s),
            succeeded=result,
            last=succeeded,
            in_a_row=in_a_row,
            message="" if succeeded and result else said,
        )

    def unanswered(self, now_s: float) -> ProbeState:
        """Return the state after a check, begun at ``now_s``, that nobody could answer."""
        period_s = self.probe.period_s
        missed = max(0.0, (now_s - self.due_s) // period_s)
        return replace(self, due_s=self.due_s + period_s * (missed + 1))


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How a running service stands, all its probes together."""

    started: bool
    ready: bool
    unhealthy: str = ""
    """Why the container is to be killed, in the kubelet's words; empty when it is not."""
    not_ready: str = ""
    """Why it is not ready, in the kubelet's words; empty when it is, or no check has failed yet."""


UNPROBED: Final = ServiceHealth(started=True, ready=True)
"""Of a service without health checks: it is ready as soon as it runs."""
NOT_STARTED: Final = ServiceHealth(started=False, ready=False)


def service_health(health: Health | None, states: Mapping[ProbeKind, ProbeState]) -> ServiceHealth:
    """Return how a running service stands; a probe without a state counts as not asked yet."""
    if health is None:
        return UNPROBED
    started = _result(ProbeKind.STARTUP, health, states)
    ready = started and _result(ProbeKind.READINESS, health, states)
    restarts = [state for state in states.values() if state.must_restart]
    awaited = states.get(ProbeKind.READINESS if started else ProbeKind.STARTUP)
    return ServiceHealth(
        started=started,
        ready=ready,
        unhealthy=_failed(restarts[0]) if restarts else "",
        not_ready=_failed(awaited) if awaited is not None and not ready else "",
    )


def _result(kind: ProbeKind, health: Health, states: Mapping[ProbeKind, ProbeState]) -> bool:
    if kind.of(health) is None:
        return True
    state = states.get(kind)
    return INITIALLY[kind] if state is None else state.succeeded


def _failed(state: ProbeState) -> str:
    """Return what the kubelet's event says of a failed check (`prober.go`, `probe`), if one did."""
    if state.last is not False and not state.message:
        return ""
    return f"{state.kind} probe failed: {state.message}"
