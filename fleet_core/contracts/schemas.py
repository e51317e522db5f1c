"""JSON Schemas of every payload, by the name that ``fleet schema NAME`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.audit import AuditRecord
from fleet_core.contracts.commands import (
    ErrorReply,
    ExecReply,
    ExecRequest,
    LogsReply,
    LogsRequest,
    PingReply,
    RedeployReply,
    RedeployRequest,
)
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, Heartbeat
from fleet_core.contracts.resources import Deployment, DeploymentStatus
from fleet_core.contracts.scores import Score
from fleet_core.contracts.states import DeploymentState
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from fleet_core.contracts.base import Wire

PAYLOADS: Final[dict[str, type[Wire]]] = {
    "audit-record": AuditRecord,
    "deployment": Deployment,
    "deployment-state": DeploymentState,
    "deployment-status": DeploymentStatus,
    "device-info": DeviceInfo,
    "device-manifest": DeviceManifest,
    "error-reply": ErrorReply,
    "exec-reply": ExecReply,
    "exec-request": ExecRequest,
    "heartbeat": Heartbeat,
    "logs-reply": LogsReply,
    "logs-request": LogsRequest,
    "ping-reply": PingReply,
    "redeploy-reply": RedeployReply,
    "redeploy-request": RedeployRequest,
    "score": Score,
}


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a payload.

    Raises:
        NotFoundError: no payload has that name.
    """
    model = PAYLOADS.get(name)
    if model is None:
        raise NotFoundError(
            f"there is no payload named {name[:64]!r}", remedy=f"one of: {', '.join(PAYLOADS)}"
        )
    return model.model_json_schema(by_alias=True)
