"""What the agent's configuration may say: its sections, their keys and their limits."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from fleet_core.contracts.containers import Capability
from fleet_core.contracts.names import DeviceId, LabelMap

PODMAN_DEFAULT_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""What podman gives to any container by default (containers.conf(5)): what a score may ask for."""

AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]{0,1023}$")]
RegistryHost = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}(:\d{1,5})?$")]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class AgentSection(_Section):
    """Who this device is, and how its agent behaves."""

    device_id: DeviceId
    runtime_enabled: bool = True
    """Without it: heartbeat and commands only, no containers."""
    runtime: Literal["podman", "simulated"] = "podman"
    """Which container runtime; nothing is simulated unasked."""
    state_dir: AbsolutePath | None = None
    """Where the agent keeps what it must know after a reboot without a network.

    By default `/var/lib/fleet-agent`, or ``$XDG_STATE_HOME/fleet-agent`` for any user but root.
    """
    heartbeat_interval_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    """Instead of what the device's manifest says."""
    drift_interval_s: Annotated[int, Field(ge=1, le=3600)] = 60
    """How often the containers are compared with what they should be, events or not."""


class NatsSection(_Section):
    """Where the servers are."""

    urls: Annotated[
        list[Annotated[str, Field(pattern=r"^(nats|tls)://[^\s]{1,512}$")]],
        Field(min_length=1, max_length=64),
    ]
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0


class CredentialsSection(_Section):
    """How the agent proves who it is: a user and password that stand in the file."""

    type: Literal["toml-shared"]
    user: Annotated[str, Field(min_length=1, max_length=256)]
    password: SecretStr


class PodmanSection(_Section):
    """How podman is reached."""

    socket: AbsolutePath | None = None
    """Its API socket; by default the system's or the user's own if it answers.

    Where none does, the agent starts ``podman system service`` itself.
    """
    executable: Annotated[str, Field(min_length=1, max_length=1024)] = "podman"
    parallel_calls: Annotated[int, Field(ge=1, le=64)] = 4
    """How many calls to podman may be under way at once."""


class ContainersSection(_Section):
    """What this device lets containers do, whatever the control plane says."""

    allow_privileged: bool = False
    allow_host_network: bool = False
    allow_host_paths: Annotated[list[AbsolutePath], Field(max_length=256)] = Field(
        default_factory=list
    )
    """Host paths that may be mounted, with all that is below them."""
    allow_capabilities: Annotated[list[Capability], Field(max_length=64)] = Field(
        default_factory=lambda: list(PODMAN_DEFAULT_CAPABILITIES)
    )
    exec: Literal["off", "containers", "host"] = "containers"
    """Whether ``exec`` may run programs: not at all, in containers, or on the device itself too."""


class RegistrySection(_Section):
    """How images of one registry are pulled."""

    username: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    password: SecretStr | None = None
    password_file: AbsolutePath | None = None
    """A file whose content, without the last line break, is the password."""
    insecure: bool = False
    """Without TLS, or with a certificate that nobody vouches for."""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        passwords = sum(each is not None for each in (self.password, self.password_file))
        if passwords != (self.username is not None):
            raise ValueError("expected a username with one of password and password_file, or none")
        return self


class AgentConfig(_Section):
    """The whole configuration."""

    agent: AgentSection
    nats: NatsSection
    credentials: CredentialsSection | None = None
    podman: PodmanSection = Field(default_factory=PodmanSection)
    containers: ContainersSection = Field(default_factory=ContainersSection)
    registries: Annotated[dict[RegistryHost, RegistrySection], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """By the host (and port) that stands at the beginning of an image's name."""
    labels: LabelMap = Field(default_factory=dict)
