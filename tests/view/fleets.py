"""A small fleet for the tests of the read model, fed as a feed would."""

from __future__ import annotations

from datetime import UTC, datetime

from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, ManifestEntry, encode_heartbeat
from fleet_core.contracts.states import ContainerStatus, DeploymentState, Failure, Phase
from fleet_core.view import FleetView

NOW_S = 1_800_000_000.0
HASH = "0123456789abcdef"
BUCKETS = (
    "deployment-revisions",
    "deployments",
    "deployment-status",
    "device-info",
    "device-heartbeat",
    "device-manifest",
    "device-state",
)


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


class FedView:
    """A read model, and short words for what is told to it."""

    def __init__(self) -> None:
        self.view = FleetView()
        self.handlers = {bucket: self.view.handler(bucket) for bucket in BUCKETS}
        self.revision = 0

    def put(self, bucket: str, key: str, value: bytes, at_s: float = NOW_S) -> None:
        self.revision += 1
        self.handlers[bucket].on_put(key, value, self.revision, at_s)

    def drop(self, bucket: str, key: str) -> None:
        self.revision += 1
        self.handlers[bucket].on_delete(key, self.revision)

    def synced(self) -> None:
        for handler in self.handlers.values():
            handler.on_synced()

    def beat(self, device_id: str, at_s: float = NOW_S) -> None:
        payload = encode_heartbeat(device_id, moment(at_s))
        self.put("device-heartbeat", f"heartbeat.{device_id}", payload, at_s)

    def info(self, device_id: str, version: str = "1.3.2", **labels: str) -> None:
        info = DeviceInfo(device_id=device_id, labels=labels, agent_version=version)
        self.put("device-info", f"info.{device_id}", encode(info))

    def manifest(self, device_id: str, *names: str, interval_s: int = 30) -> None:
        entry = ManifestEntry(generation=1, spec_hash=HASH)
        manifest = DeviceManifest(
            generation=1,
            heartbeat_interval_s=interval_s,
            deployments=dict.fromkeys(names, entry),
        )
        self.put("device-manifest", device_id, encode(manifest))

    def state(
        self,
        device_id: str,
        name: str,
        *,
        phase: Phase = Phase.RUNNING,
        reason: str = "Running",
        at_s: float = NOW_S,
        restarts: int = 0,
        failure: Failure | None = None,
        spec_hash: str = HASH,
    ) -> None:
        state = DeploymentState(
            device_id=device_id,
            deployment=name,
            phase=phase,
            last_event_at=moment(at_s),
            reason=reason,
            spec_hash=spec_hash,
            generation=1,
            container_statuses=[ContainerStatus(name="main", restart_count=restarts)],
            failure=failure,
        )
        self.put("device-state", f"state.{device_id}.{name}", encode(state))

    def slot(self, device_id: str) -> int:
        return self.view.devices.slot_of[device_id]
