"""The Deployment resource: metadata and spec that people write, status that the operator writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from fleet_core.contracts.base import Resource, Timestamp
from fleet_core.contracts.names import (
    DeploymentName,
    DeviceId,
    Generation,
    LabelKey,
    LabelMap,
    Namespace,
    Text,
)
from fleet_core.contracts.rollouts import Count, Rollout, RolloutStatus
from fleet_core.contracts.scores import Score
from fleet_core.contracts.selectors import LabelSelector
from fleet_core.contracts.states import Message

API_GROUP: Final = "fleet.nationtech.io"
API_VERSION: Final = "fleet.nationtech.io/v1alpha1"
FINALIZER: Final = "fleet.nationtech.io/finalizer"
MIRROR_ANNOTATION: Final = "fleet.nationtech.io/mirror-of"
"""On a Deployment in a bucket: it is held elsewhere, and the bucket only shows it."""
DEPLOYMENT_KIND: Final = "Deployment"
DEFAULT_NAMESPACE: Final = "default"


class Metadata(Resource):
    """What of a resource's ``metadata`` the fleet uses."""

    name: DeploymentName
    namespace: Namespace = DEFAULT_NAMESPACE
    generation: Generation = 0
    """Counts changes of the spec; 0 until it has been stored."""
    labels: LabelMap = Field(default_factory=dict)
    annotations: Annotated[
        dict[LabelKey, Annotated[Text, Field(max_length=32_768)]], Field(max_length=64)
    ] = Field(default_factory=dict)
    creation_timestamp: Timestamp | None = None


class DeploymentSpec(Resource):
    """Which devices should run what."""

    target_selector: LabelSelector
    score: Score
    rollout: Rollout = Field(default_factory=Rollout)


class Deployment(Resource):
    """What operators apply: a selector and a score."""

    api_version: Literal["fleet.nationtech.io/v1alpha1"] = API_VERSION
    kind: Literal["Deployment"] = DEPLOYMENT_KIND
    metadata: Metadata
    spec: DeploymentSpec

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name


class HeldBy(StrEnum):
    """Where Deployments are held."""

    NATS = "nats"
    """In KV buckets, which people write."""
    KUBERNETES = "kubernetes"
    """In a cluster; the buckets mirror it, for people to look at."""


class Holder(Resource):
    """What the operator that writes says of where Deployments are held."""

    held_by: HeldBy
    where: Annotated[Text, Field(max_length=256)] = ""
    """As a person calls the cluster."""


class LastError(Resource):
    """The newest failure that a device reported."""

    device_id: DeviceId
    message: Message
    at: Timestamp


class Aggregate(Resource):
    """How far the devices are. The last four counts add up to the first."""

    matched_device_count: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    pending: Count = 0
    offline: Count = 0
    """Devices whose word is too old to count as any of the other three."""
    last_error: LastError | None = None


class ConditionType(StrEnum):
    """What is told about a Deployment in Kubernetes' way."""

    READY = "Ready"
    """Every device that can be reached runs what the spec says."""
    PROGRESSING = "Progressing"
    """Devices are on their way to what the spec says."""
    DEGRADED = "Degraded"
    """Something is wrong that does not mend itself: failures, a refused spec, a stopped rollout."""
    PAUSED = "Paused"
    """The rollout starts nothing more until a person resumes it."""


class Condition(Resource):
    """A Kubernetes ``Condition``."""

    type: Annotated[Text, Field(min_length=1, max_length=64)]
    status: Literal["True", "False", "Unknown"]
    reason: Annotated[Text, Field(max_length=128)] = ""
    """One word in CamelCase."""
    message: Annotated[Text, Field(max_length=1_024)] = ""
    last_transition_time: Timestamp | None = None
    """When ``status`` became what it is."""
    observed_generation: Generation = 0


class DeploymentStatus(Resource):
    """The fleet's truth about a Deployment."""

    aggregate: Aggregate = Field(default_factory=Aggregate)
    observed_generation: Generation = 0
    conditions: Annotated[list[Condition], Field(max_length=16)] = Field(default_factory=list)
    rollout: RolloutStatus | None = None
