"""The containers of a score: init containers and services, and how they may run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from fleet_core.contracts.base import Wire, without_defaults
from fleet_core.contracts.names import ContainerName, ImageReference, Text
from fleet_core.contracts.probes import Health
from fleet_core.contracts.quantities import CpuQuantity, MemoryQuantity

DEFAULT_INIT_TIMEOUT_S: Final = 300
MAX_INIT_TIMEOUT_S: Final = 7 * 24 * 3600
DEFAULT_STOP_GRACE_S: Final = 10
"""Between the stop signal and KILL, as podman's default."""
MAX_STOP_GRACE_S: Final = 3600

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
Tmpfs = Annotated[
    str, StringConstraints(pattern=r"^/[^:,\x00-\x1f]{0,255}(:size=[1-9]\d{0,8}[kmg]?)?$")
]
"""``/path[:size=16m]``."""
Capability = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,31}$")]
"""A Linux capability as Kubernetes writes it: ``NET_BIND_SERVICE``."""
Signal = Annotated[str, StringConstraints(pattern=r"^SIG[A-Z0-9+-]{2,12}$")]
User = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$"
    ),
]
"""``user[:group]``, by name or number."""
AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]*$", max_length=1_024)]


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


class PullPolicy(StrEnum):
    """When an image is pulled, in Kubernetes' words."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    """Before each new version of the deployment, and after each boot."""
    NEVER = "Never"


class RunPolicy(StrEnum):
    """When a finished init container runs again."""

    ALWAYS = "Always"
    """For each new version and after each boot, as the kubelet does."""
    ONCE_PER_VERSION = "OncePerVersion"
    """A success counts for as long as the spec stays the same, whatever boots in between."""


class Network(StrEnum):
    """What of the network a container sees."""

    DEPLOYMENT = "deployment"
    """A network of the deployment's own, on which its services find each other by name."""
    HOST = "host"
    """The device's own; only where the device's configuration allows it."""
    NONE = "none"


class Resources(Wire):
    """What a container may use at most."""

    cpu: CpuQuantity | None = None
    memory: MemoryQuantity | None = None
    pids: Annotated[int, Field(ge=1, le=2**22)] | None = None

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self))


class Container(Wire):
    """What init containers and services have in common.

    A container runs without new privileges, without capabilities but those it asks for, and on a
    read-only root, unless it says otherwise and the device allows it.
    """

    omitted_by_default: ClassVar[frozenset[str]] = frozenset(
        (
            "entrypoint",
            "user",
            "working_dir",
            "tmpfs",
            "image_pull_policy",
            "cap_add",
            "read_only_root",
            "privileged",
            "network",
        )
    )
    """Fields that older peers do not know: written only where they say something."""

    name: ContainerName
    image: ImageReference
    args: Annotated[list[Argument], Field(max_length=256)] = Field(default_factory=list)
    """Instead of the image's command."""
    env: Environment = Field(default_factory=dict)
    volumes: Annotated[list[Volume], Field(max_length=64)] = Field(default_factory=list)
    """A name is a volume of the deployment's own, kept until somebody removes it by hand."""
    entrypoint: Annotated[list[Argument], Field(min_length=1, max_length=64)] | None = None
    """Instead of the image's entrypoint."""
    user: User | None = None
    working_dir: AbsolutePath | None = None
    tmpfs: Annotated[list[Tmpfs], Field(max_length=16)] = Field(default_factory=list)
    image_pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    cap_add: Annotated[list[Capability], Field(max_length=64)] = Field(default_factory=list)
    read_only_root: bool = True
    privileged: bool = False
    """Only where the device's configuration allows it."""
    network: Network = Network.DEPLOYMENT

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self), self.omitted_by_default)


class InitContainer(Container):
    """A container that must exit 0 before the next one, and before any service, starts.

    It runs again for a new spec and after a reboot, so it must be idempotent; with ``run_policy:
    OncePerVersion`` a success is remembered over reboots.
    """

    omitted_by_default: ClassVar[frozenset[str]] = Container.omitted_by_default | {
        "run_policy",
        "resources",
    }

    timeout: Annotated[int, Field(gt=0, le=MAX_INIT_TIMEOUT_S)] = DEFAULT_INIT_TIMEOUT_S
    """Whole seconds until it is removed with the reason ``InitTimeout``."""
    run_policy: RunPolicy = RunPolicy.ALWAYS
    resources: Resources = Field(default_factory=Resources)

    @model_validator(mode="after")
    def _no_probe(self) -> Self:
        for probe in ("health", "livenessProbe", "readinessProbe", "startupProbe"):
            if (self.model_extra or {}).get(probe) is not None:
                raise ValueError(f"an init container has no {probe}: its exit code is the answer")
        return self


class Service(Container):
    """A container that runs for as long as the deployment does."""

    omitted_by_default: ClassVar[frozenset[str]] = Container.omitted_by_default | {
        "stop_signal",
        "stop_grace_s",
    }

    ports: Annotated[list[Port], Field(max_length=64)] = Field(default_factory=list)
    restart_policy: Literal["always", "on-failure", "unless-stopped", "no"] = "always"
    resources: Resources = Field(default_factory=Resources)
    health: Health | None = None
    stop_signal: Signal | None = None
    """Instead of the image's, or of TERM."""
    stop_grace_s: Annotated[int, Field(ge=0, le=MAX_STOP_GRACE_S)] = DEFAULT_STOP_GRACE_S
