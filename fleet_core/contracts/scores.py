"""Scores: what should run on a device, as init containers and services."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer

from fleet_core.contracts.base import Wire, encode, without_defaults
from fleet_core.contracts.containers import InitContainer, Service

MAX_CONTAINERS: Final = 64
DEFAULT_PROGRESS_DEADLINE_S: Final = 600
"""As ``progressDeadlineSeconds`` of a Kubernetes Deployment."""


class RestartPolicy(StrEnum):
    """The restart policy of a whole score, in the words of a Pod's ``restartPolicy``."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


def _unique_names(score: PodmanV0) -> PodmanV0:
    seen: set[str] = set()
    for container in (*score.init_containers, *score.services):
        if container.name in seen:
            raise ValueError(
                f"container name {container.name!r} stands twice: expected unique names across "
                "init_containers and services"
            )
        seen.add(container.name)
    return score


class Rollback(StrEnum):
    """What happens to a new version that does not become ready in time."""

    AUTO = "auto"
    """The last version that was ready is run again."""
    NEVER = "never"


_OURS: Final = frozenset(("restart_policy", "rollback", "progress_deadline_s"))
"""Fields that older peers do not know: written only where they say something."""


class PodmanV0(Wire):
    """Containers for podman: init containers one after another, then the services."""

    init_containers: Annotated[list[InitContainer], Field(max_length=MAX_CONTAINERS)] = Field(
        default_factory=list
    )
    services: Annotated[list[Service], Field(min_length=1, max_length=MAX_CONTAINERS)]
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS
    rollback: Rollback = Rollback.AUTO
    progress_deadline_s: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] = DEFAULT_PROGRESS_DEADLINE_S
    """How long a new version may make no progress towards ``Running`` before it is rolled back.

    Waiting for images does not count, nor does an init container within its own timeout.
    """

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self), _OURS)


class Score(Wire):
    """What should run, tagged by its type."""

    type: Literal["PodmanV0"]
    data: Annotated[PodmanV0, AfterValidator(_unique_names)]


def spec_hash(score: Score) -> str:
    """Return the first 16 hex digits of the sha256 of the score's canonical JSON."""
    return payload_hash(encode(score))


def payload_hash(payload: bytes) -> str:
    """Return the `spec_hash` of a score that is at hand as its canonical JSON."""
    return hashlib.sha256(payload).hexdigest()[:16]
