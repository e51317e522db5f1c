"""What a device's states come to, against what it should run: pure decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fleet_core.contracts.states import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.contracts.states import DeploymentState
    from fleet_core.view.digests import StateDigest
    from fleet_core.view.rows import DesiredRow, StateRow

FAILING_REASONS: Final = ("BackOff", "Error", "InitTimeout", "OOMKilled", "Invalid")
"""Parts of Kubernetes' words that say that something fails though it is tried again."""

_RUNNING: Final = Phase.RUNNING.value
_WELL_REASON: Final = "Running"

WELL: Final = 0
UNDER_WAY: Final = 1
FAILING: Final = 2


class Summary(NamedTuple):
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


def is_failing_digest(digest: StateDigest) -> bool:
    """Tell the same of a state's digest."""
    if digest["phase"] is Phase.FAILED or digest.get("failure") is not None:
        return True
    reason = digest.get("reason", "")
    return reason != _WELL_REASON and any(part in reason for part in FAILING_REASONS)


def summarise(states: Mapping[str, StateRow], desired: Mapping[str, DesiredRow] | None) -> Summary:
    """Return the counts and the worst reason; a state of another spec counts as not there yet."""
    names = states if desired is None else desired
    ok = restarts = severity = 0
    worst = ""
    for name in names:
        state = states.get(name)
        if state is None:
            level = UNDER_WAY
        else:
            restarts += state.restarts
            if desired is not None and state.spec_hash != desired[name].spec_hash:
                level = UNDER_WAY
            elif state.failing:
                level = FAILING
            elif state.phase == _RUNNING:
                ok += 1
                continue
            else:
                level = UNDER_WAY
        if level > severity:
            severity, worst = level, name
    if not severity:
        return Summary(ok, len(names), restarts, WELL, "")
    wanted = None if desired is None else desired[worst].spec_hash
    return Summary(ok, len(names), restarts, severity, _reason(worst, states.get(worst), wanted))


def _reason(name: str, state: StateRow | None, wanted: str | None) -> str:
    if state is None or (wanted is not None and state.spec_hash != wanted):
        return f"{name} Pending"
    words = f"{name} {state.reason or state.phase}"
    return f"{words} ({state.restarts})" if state.failing and state.restarts else words
