"""Words of the tests of the operator: Deployments, labels, heartbeats and states in short."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from fleet_core.contracts.base import decode
from fleet_core.contracts.resources import Deployment
from fleet_core.contracts.states import DeploymentState, Phase

NOW_S = 1_800_000_000.0


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def deployment(
    name: str = "web",
    *,
    labels: dict[str, str] | None = None,
    expressions: list[dict[str, Any]] | None = None,
    image: str = "registry.example/web:1",
    generation: int = 1,
    namespace: str = "default",
    created_s: float = NOW_S,
) -> Deployment:
    """A Deployment of one service for the devices with these labels."""
    value = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "generation": generation,
            "creationTimestamp": moment(created_s).isoformat(),
        },
        "spec": {
            "targetSelector": {"matchLabels": labels or {}, "matchExpressions": expressions or []},
            "score": {
                "type": "PodmanV0",
                "data": {"services": [{"name": "main", "image": image}]},
            },
        },
    }
    return decode(Deployment, json.dumps(value).encode())


def state(
    device: str,
    name: str,
    spec_hash: str | None,
    *,
    phase: Phase = Phase.RUNNING,
    at_s: float = NOW_S,
    reason: str = "",
    error: str | None = None,
) -> DeploymentState:
    """What a device says of a deployment."""
    return DeploymentState(
        device_id=device,
        deployment=name,
        phase=phase,
        last_event_at=moment(at_s),
        last_error=error,
        spec_hash=spec_hash,
        reason=reason,
    )
