"""What is told of devices, deployments and failures: plain records, the same for CLI and TUI."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleet_core.contracts.resources import MIRROR_ANNOTATION
from fleet_core.contracts.rollouts import COMMANDS_ANNOTATION
from fleet_core.errors import NotFoundError
from fleet_core.view import Health
from fleet_core.view.filter_terms import deployment_word

if TYPE_CHECKING:
    from fleet_core.operations.inspect import Inspection
    from fleet_core.view import DeploymentRow, FailureGroup, FleetView

Record = dict[str, Any]


def utc(seconds: float | None) -> str | None:
    """Return Unix seconds as RFC 3339 in UTC; None and 0 (never) as None."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def device_record(view: FleetView, device_id: str) -> Record:
    """Return what the read model knows of a device; ages are as of the view's last tick.

    Raises:
        NotFoundError: nothing is known of it.
    """
    slot = view.devices.slot_of.get(device_id)
    if slot is None:
        raise NotFoundError(f"there is no device {device_id}")
    devices = view.devices
    seen_s = devices.seen_s[slot]
    desired = devices.desired[slot]
    names = devices.states[slot] if desired is None else desired
    return {
        "id": device_id,
        "status": Health(devices.health[slot]).word,
        "last_seen": utc(seen_s),
        "age_s": round(max(0.0, view.now_s - seen_s), 1) if seen_s else None,
        "labels": dict(devices.labels[slot]),
        "agent_version": devices.versions[slot],
        "deployments_ok": devices.ok[slot],
        "deployments_total": devices.total[slot],
        "reason": devices.reasons[slot],
        "restarts": devices.restarts[slot],
        "deployments": {name: _deployment_on(view, slot, name) for name in sorted(names)},
    }


def _deployment_on(view: FleetView, slot: int, name: str) -> Record:
    state = view.devices.states[slot].get(name)
    record: Record = {"status": deployment_word(view.devices, slot, name)}
    if state is not None:
        record |= {
            "phase": state.phase,
            "reason": state.reason,
            "generation": state.generation,
            "restarts": state.restarts,
        }
    return record


def deployment_record(row: DeploymentRow) -> Record:
    """Return a Deployment with its status, as the resource that it is; it can be applied again."""
    return {
        **row.resource.model_dump(mode="json", by_alias=True),
        "status": row.status.model_dump(mode="json", by_alias=True),
    }


def deployment_manifest(row: DeploymentRow) -> Record:
    """Return a Deployment as a person writes it: without what the store and the operator set."""
    record = row.resource.model_dump(mode="json", by_alias=True)
    for name in ("generation", "creationTimestamp"):
        record["metadata"].pop(name, None)
    for name in (COMMANDS_ANNOTATION, MIRROR_ANNOTATION):
        record["metadata"]["annotations"].pop(name, None)
    return record


def failure_record(group: FailureGroup) -> Record:
    """Return a group of failures with its devices and the last lines of their logs."""
    return {
        "deployment": group.deployment,
        "container": group.container,
        "init": group.init,
        "cause": group.cause,
        "exit_code": group.exit_code,
        "generation": group.generation,
        "since": utc(group.since_s),
        "devices": [
            {
                "id": device.device_id,
                "message": device.message,
                "at": utc(device.at_s),
                "log": list(device.log),
            }
            for device in group.devices
        ],
    }


def inspection_record(found: Inspection) -> Record:
    """Return everything that is stored of a device, as it was written."""
    return {
        "id": found.device_id,
        "last_heartbeat": utc(found.heartbeat_received_at_s),
        "info": None if found.info is None else found.info.model_dump(mode="json"),
        "manifest": None if found.manifest is None else found.manifest.model_dump(mode="json"),
        "states": {name: state.model_dump(mode="json") for name, state in found.states.items()},
        "problems": list(found.problems),
    }
