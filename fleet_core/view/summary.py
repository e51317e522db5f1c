"""What a device's states come to, against what it should run: pure decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.states import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.states import DeploymentState
    from fleet_core.view.rows import DesiredRow, StateRow

FAILING_REASONS: Final = ("BackOff", "Error", "InitTimeout", "OOMKilled", "Invalid")
"""Parts of Kubernetes' words that say that something fails though it is tried again."""

WELL: Final = 0
UNDER_WAY: Final = 1
FAILING: Final = 2


@dataclass(frozen=True, slots=True)
class Summary:
    """A device's deployments in one line."""

    ok: int
    total: int
    restarts: int
    severity: int
    reason: str


def is_failing(state: DeploymentState) -> bool:
    """Tell whether a state says that something fails, be it for good or until the next try."""
    return (
        state.phase is Phase.FAILED
        or state.failure is not None
        or any(part in state.reason for part in FAILING_REASONS)
    )


def summarise(states: Mapping[str, StateRow], desired: Mapping[str, DesiredRow] | None) -> Summary:
    """Return the counts and the worst reason; a state of another spec counts as not there yet."""
    names = states if desired is None else desired
    ok = restarts = severity = 0
    reason = ""
    for name in names:
        state = states.get(name)
        current = state is not None and (
            desired is None or state.spec_hash == desired[name].spec_hash
        )
        level, words = _judge(state, current=current)
        restarts += state.restarts if state is not None else 0
        ok += level == WELL
        if level > severity:
            severity, reason = level, f"{name} {words}"
    return Summary(ok, len(names), restarts, severity, reason)


def _judge(state: StateRow | None, *, current: bool) -> tuple[int, str]:
    if state is None or not current:
        return UNDER_WAY, "Pending"
    if state.failing:
        restarts = f" ({state.restarts})" if state.restarts else ""
        return FAILING, f"{state.reason or state.phase}{restarts}"
    if state.phase == Phase.RUNNING:
        return WELL, ""
    return UNDER_WAY, state.reason or state.phase
