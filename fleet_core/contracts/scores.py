"""Scores: what should run on a device, as init containers and services."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from fleet_core.contracts.base import Wire, encode
from fleet_core.contracts.names import ContainerName, ImageReference, Text

DEFAULT_INIT_TIMEOUT_S: Final = 300
MAX_INIT_TIMEOUT_S: Final = 7 * 24 * 3600
MAX_CONTAINERS: Final = 64

Argument = Annotated[Text, Field(max_length=32_768)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,254}$")]
Port = Annotated[
    str,
    StringConstraints(
        pattern=r"^((\d{1,3}\.){3}\d{1,3}:)?([1-9]\d{0,4}:)?[1-9]\d{0,4}(/(tcp|udp))?$"
    ),
]
"""``[address:][host port:]container port[/tcp|/udp]``, as podman's ``--publish``."""
Volume = Annotated[
    str,
    StringConstraints(
        pattern=r"^(/[^:\x00-\x1f]*|[A-Za-z0-9][A-Za-z0-9_.-]{0,127}):/[^:\x00-\x1f]*(:[a-zA-Z,]{1,32})?$"
    ),
]
"""``name-or-host-path:/path[:options]``, as podman's ``--volume``."""


def _pairs_to_map(value: Any) -> Any:
    """Accept ``[["K", "V"], …]`` in place of a map; anything else is left to the field."""
    if not isinstance(value, list):
        return value
    pairs = [pair for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]  # noqa: PLR2004 - a pair
    if len(pairs) != len(value) or not all(isinstance(name, str) for name, _ in pairs):
        raise ValueError("expected a map, or a list of [name, value] pairs")
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("expected each name once")
    return {pair[0]: pair[1] for pair in pairs}


Environment = Annotated[
    dict[EnvironmentName, Argument], BeforeValidator(_pairs_to_map), Field(max_length=256)
]


class RestartPolicy(StrEnum):
    """The restart policy of a whole score, in the words of a Pod's ``restartPolicy``."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class Container(Wire):
    """What init containers and services have in common."""

    name: ContainerName
    image: ImageReference
    args: Annotated[list[Argument], Field(max_length=256)] = Field(default_factory=list)
    env: Environment = Field(default_factory=dict)
    volumes: Annotated[list[Volume], Field(max_length=64)] = Field(default_factory=list)


class InitContainer(Container):
    """A container that must exit 0 before the next one, and before any service, starts.

    It runs again for a new spec and after a reboot, so it must be idempotent.
    """

    timeout: Annotated[int, Field(gt=0, le=MAX_INIT_TIMEOUT_S)] = DEFAULT_INIT_TIMEOUT_S
    """Whole seconds until it is removed with the reason ``InitTimeout``."""

    @model_validator(mode="after")
    def _no_probe(self) -> Self:
        for probe in ("health", "livenessProbe", "readinessProbe", "startupProbe"):
            if (self.model_extra or {}).get(probe) is not None:
                raise ValueError(f"an init container has no {probe}: its exit code is the answer")
        return self


class Service(Container):
    """A container that runs for as long as the deployment does."""

    ports: Annotated[list[Port], Field(max_length=64)] = Field(default_factory=list)
    restart_policy: Literal["always", "on-failure", "unless-stopped", "no"] = "always"
    resources: Annotated[dict[str, JsonValue], Field(max_length=16)] = Field(default_factory=dict)
    health: Annotated[dict[str, JsonValue], Field(max_length=16)] | None = None


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


class PodmanV0(Wire):
    """Containers for podman: init containers one after another, then the services."""

    init_containers: Annotated[list[InitContainer], Field(max_length=MAX_CONTAINERS)] = Field(
        default_factory=list
    )
    services: Annotated[list[Service], Field(min_length=1, max_length=MAX_CONTAINERS)]
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS

    @model_serializer(mode="wrap")
    def _leave_out_our_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write ``restart_policy`` only where it says something.

        A field that older peers do not know must not change the hash of the scores they know.
        """
        written: dict[str, Any] = handler(self)
        if self.restart_policy is RestartPolicy.ALWAYS:
            written.pop("restart_policy", None)
        return written


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
