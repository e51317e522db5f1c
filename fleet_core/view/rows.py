"""What the read model keeps of deployments, states, failures and events, one small object each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Aggregate, Deployment, DeploymentStatus
    from fleet_core.contracts.states import DeploymentState


@dataclass(slots=True)
class StateRow:
    """What a device last said of one of its deployments."""

    phase: str
    reason: str
    spec_hash: str
    generation: int
    restarts: int
    at_s: float
    """The device's own ``last_event_at``, Unix seconds: orders its states, and nothing else."""
    failing: bool
    detail: DeploymentState | None = None
    """The whole state, kept only while it fails."""


@dataclass(frozen=True, slots=True)
class DesiredRow:
    """What a device should run, of one deployment."""

    generation: int
    spec_hash: str


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A Deployment as it is stored."""

    resource: Deployment
    spec_hash: str
    selector: str
    changed_at_s: float
    """When the server took its last change, Unix seconds."""
    status: DeploymentStatus
    """What the operator says of it; all zero until it has said anything."""

    @property
    def aggregate(self) -> Aggregate:
        """How far its devices are, as the operator counts them."""
        return self.status.aggregate

    @property
    def observed_generation(self) -> int:
        """Which generation the operator has acted on."""
        return self.status.observed_generation

    @property
    def name(self) -> str:
        """The Deployment's name."""
        return self.resource.metadata.name

    @property
    def namespace(self) -> str:
        """The Deployment's namespace."""
        return self.resource.metadata.namespace


@dataclass(frozen=True, slots=True)
class FailedDevice:
    """One device of a group of failures."""

    device_id: str
    message: str
    log: tuple[str, ...]
    """The last lines of the container's log, safe to show."""
    at_s: float


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Devices on which the same container failed in the same way."""

    deployment: str
    container: str
    init: bool
    cause: str
    exit_code: int | None
    generation: int
    devices: tuple[FailedDevice, ...]
    since_s: float
    """The oldest of them, Unix seconds."""
    spread: tuple[tuple[str, int], ...]
    """Devices by value of the label that was asked for, most first."""

    @property
    def key(self) -> str:
        """What tells the group from the others, and stays when devices come and go."""
        code = "" if self.exit_code is None else self.exit_code
        return f"{self.deployment}/{self.container}/{self.cause}/{code}"

    @property
    def how(self) -> str:
        """How it failed, in a few words: ``exited 3``, ``InitTimeout``."""
        if self.exit_code is not None and self.cause in ("", "Error"):
            return f"exited {self.exit_code}"
        return self.cause


@dataclass(frozen=True, slots=True)
class Event:
    """A change that was seen while looking."""

    at_s: float
    device_id: str
    deployment: str
    text: str


@dataclass(slots=True)
class Counters:
    """What was refused at the door, and the last few reasons."""

    rejected: int = 0
    by_bucket: dict[str, int] = field(default_factory=dict)
    recent: list[str] = field(default_factory=list)

    def reject(self, bucket: str, key: str, reason: str) -> None:
        """Count a refused payload; the last 20 reasons are kept."""
        self.rejected += 1
        self.by_bucket[bucket] = self.by_bucket.get(bucket, 0) + 1
        self.recent.append(f"{bucket} {key}: {reason}")
        del self.recent[:-20]
