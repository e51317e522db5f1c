"""Containers as podman tells of them, in the agent's words: pure functions of its JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fleet_agent.runtime.contract import LABEL_PREFIX, ContainerKey, Role, RunState, Snapshot
from fleet_core.contracts.containers import MAX_STOP_GRACE_S
from fleet_core.contracts.names import is_dns_label

LABEL_DEPLOYMENT: Final = f"{LABEL_PREFIX}/deployment"
_NEVER: Final = "0001-01-01"
_STATES: Final = {
    "created": RunState.UNSTARTED,
    "configured": RunState.UNSTARTED,
    "initialized": RunState.UNSTARTED,
    "running": RunState.RUNNING,
    "paused": RunState.RUNNING,
    "stopping": RunState.RUNNING,
}
"""Every other word means that its process has ended."""


def snapshot_of(inspected: Any, *, starting: bool) -> Snapshot | None:
    """Return what an inspected container is; None where it is not ours.

    Labels are not trusted: anybody on the device may have written them. Ours bears the name that
    its labels make; where the others are torn, it is ours, but no run that anybody asked for.
    """
    labels = inspected["Config"].get("Labels") or {}
    key = key_of(labels)
    if key is None or inspected.get("Name") != key.runtime_name:
        return None
    state = _STATES.get(inspected["State"]["Status"], RunState.EXITED)
    if state is RunState.UNSTARTED and starting:
        state = RunState.CREATED
    ended = state is RunState.EXITED
    told = inspected["State"]
    return Snapshot(
        key=key,
        container_id=inspected["Id"],
        image=str(inspected.get("ImageName") or ""),
        role=Role.INIT if labels.get(f"{LABEL_PREFIX}/role") == Role.INIT else Role.SERVICE,
        spec_hash=labels.get(f"{LABEL_PREFIX}/spec-hash", "") if _is_whole(labels) else "",
        boot_id=labels.get(f"{LABEL_PREFIX}/boot-id", ""),
        attempt=_number(labels.get(f"{LABEL_PREFIX}/attempt", "")),
        state=state,
        started_at_s=_moment(told.get("StartedAt")),
        finished_at_s=_finished(told) if ended else None,
        exit_code=int(told.get("ExitCode", -1)) if ended else None,
        oom_killed=ended and bool(told.get("OOMKilled")),
    )


def key_of(labels: dict[str, str]) -> ContainerKey | None:
    """Return which container of which deployment the labels name."""
    deployment = labels.get(LABEL_DEPLOYMENT) or ""
    container = labels.get(f"{LABEL_PREFIX}/container") or ""
    named = is_dns_label(deployment) and is_dns_label(container)
    return ContainerKey(deployment, container) if named else None


def stop_grace_s(inspected: Any, default_s: float) -> float:
    """Return the grace that the container's own spec asks for."""
    labels = inspected["Config"].get("Labels") or {}
    grace = labels.get(f"{LABEL_PREFIX}/stop-grace-s", "")
    return float(min(_number(grace), MAX_STOP_GRACE_S)) if _is_number(grace) else default_s


def address_of(inspected: Any, *, rootless: bool, port: int) -> tuple[str, int] | None:
    """Return where the device reaches a port of the container; None where it cannot.

    The networks of a rootless podman cannot be reached from the device: only published ports can.
    """
    if inspected["HostConfig"].get("NetworkMode") == "host":
        return "127.0.0.1", port
    settings = inspected["NetworkSettings"]
    for published in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
        host = published.get("HostIp") or "127.0.0.1"
        return "127.0.0.1" if host == "0.0.0.0" else host, int(published["HostPort"])  # noqa: S104 - compared, not bound
    if rootless:
        return None
    for network in (settings.get("Networks") or {}).values():
        if network.get("IPAddress"):
            return network["IPAddress"], port
    return None


def unreachable(inspected: Any, port: int) -> str:
    """Return why `address_of` has none."""
    if inspected["HostConfig"].get("NetworkMode") == "none":
        return f"port {port} cannot be reached: the container has no network"
    return f"port {port} is not published: this device cannot reach it (rootless)"


def _finished(told: Any) -> float | None:
    """Return when it ended; of one that ended at once, podman notes the start after the end."""
    started_at_s, finished_at_s = _moment(told.get("StartedAt")), _moment(told.get("FinishedAt"))
    if started_at_s is None or finished_at_s is None:
        return finished_at_s
    return max(started_at_s, finished_at_s)


def _is_whole(labels: dict[str, str]) -> bool:
    """Tell whether the labels that say which run it is can be what the agent wrote."""
    role, attempt = (labels.get(f"{LABEL_PREFIX}/{name}", "") for name in ("role", "attempt"))
    return role in set(Role) and _is_number(attempt)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - below 2^31


def _number(text: str) -> int:
    return int(text) if _is_number(text) else 0


def _moment(text: str | None) -> float | None:
    """Return the Unix seconds of a moment as Go writes it."""
    if not text or text.startswith(_NEVER):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
