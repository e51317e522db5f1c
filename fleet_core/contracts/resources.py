"""The Deployment resource: metadata and spec that people write, status that the operator writes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from fleet_core.contracts.base import Timestamp, Wire
from fleet_core.contracts.names import (
    DeploymentName,
    DeviceId,
    Generation,
    LabelKey,
    LabelMap,
    Namespace,
    Text,
)
from fleet_core.contracts.scores import Score
from fleet_core.contracts.selectors import LabelSelector
from fleet_core.contracts.states import Message

API_GROUP: Final = "fleet.nationtech.io"
API_VERSION: Final = "fleet.nationtech.io/v1alpha1"
FINALIZER: Final = "fleet.nationtech.io/finalizer"
DEPLOYMENT_KIND: Final = "Deployment"
DEFAULT_NAMESPACE: Final = "default"

Count = Annotated[int, Field(ge=0)]


class Resource(Wire):
    """A part of a Kubernetes resource: camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


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


class Rollout(Resource):
    """How a change reaches the devices; so far all of them at once."""

    strategy: Literal["Immediate"] = "Immediate"


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


class DeploymentStatus(Resource):
    """The fleet's truth about a Deployment."""

    aggregate: Aggregate = Field(default_factory=Aggregate)
    observed_generation: Generation = 0
