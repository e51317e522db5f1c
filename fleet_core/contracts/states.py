"""What a device observes of a deployment: phase, container statuses, a failure's last words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from fleet_core.contracts.base import Timestamp, Wire
from fleet_core.contracts.names import (
    ContainerName,
    DeploymentName,
    DeviceId,
    Generation,
    SpecHash,
    Text,
)
from fleet_core.contracts.scores import MAX_CONTAINERS

FAILURE_LOG_MAX_BYTES: Final = 2 * 1024
ERROR_MAX_CHARS: Final = 1_024

Reason = Annotated[Text, Field(max_length=128)]
Message = Annotated[Text, Field(max_length=ERROR_MAX_CHARS)]


class Phase(StrEnum):
    """Where a deployment stands on a device."""

    PENDING = "Pending"
    RUNNING = "Running"
    FAILED = "Failed"


class WaitingState(Wire):
    """Not started yet, or waiting to be started again."""

    reason: Reason = ""
    message: Message = ""


class RunningState(Wire):
    """Running since."""

    started_at: Timestamp | None = None


class TerminatedState(Wire):
    """Ended, and how."""

    exit_code: int
    signal: int | None = None
    reason: Reason = ""
    message: Message = ""
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class ContainerState(Wire):
    """One of the three, as in Kubernetes; none of them means waiting."""

    waiting: WaitingState | None = None
    running: RunningState | None = None
    terminated: TerminatedState | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if sum(arm is not None for arm in (self.waiting, self.running, self.terminated)) > 1:
            raise ValueError("expected one of waiting, running and terminated")
        return self


class ContainerStatus(Wire):
    """The status of one container, in Kubernetes' shape."""

    name: ContainerName
    image: Annotated[Text, Field(max_length=512)] = ""
    state: ContainerState = Field(default_factory=ContainerState)
    last_state: ContainerState = Field(default_factory=ContainerState)
    restart_count: Annotated[int, Field(ge=0)] = 0
    ready: bool = False


class Failure(Wire):
    """The failure that holds a deployment back."""

    container: ContainerName
    init: bool = False
    cause: Reason
    """Kubernetes' word: ``Error``, ``OOMKilled``, ``InitTimeout``, ``ErrImagePull``…"""
    exit_code: int | None = None
    log: Annotated[Text, Field(max_length=FAILURE_LOG_MAX_BYTES)] = ""
    """The last lines of the container's log."""


class DeploymentState(Wire):
    """A device's latest word on one of its deployments; ordered by ``last_event_at``."""

    device_id: DeviceId
    deployment: DeploymentName
    phase: Phase
    last_event_at: Timestamp
    last_error: Message | None = None
    generation: Generation | None = None
    spec_hash: SpecHash | None = None
    """The spec that was observed; a state of another spec says nothing about the desired one."""
    reason: Reason = ""
    """Kubernetes' words: ``Init:1/2``, ``Init:CrashLoopBackOff``, ``Running``…"""
    init_container_statuses: Annotated[list[ContainerStatus], Field(max_length=MAX_CONTAINERS)] = (
        Field(default_factory=list)
    )
    container_statuses: Annotated[list[ContainerStatus], Field(max_length=MAX_CONTAINERS)] = Field(
        default_factory=list
    )
    failure: Failure | None = None

    @property
    def restart_count(self) -> int:
        """Restarts of all its containers."""
        statuses = (*self.init_container_statuses, *self.container_statuses)
        return sum(status.restart_count for status in statuses)
