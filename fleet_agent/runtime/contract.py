"""What the agent asks of a container runtime, and every error it may be answered with.

The agent alone decides when something starts or is started again: a runtime never restarts a
container by itself. Containers outlive the agent; what an agent must know of them after its own
restart stands on their labels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.containers import DEFAULT_STOP_GRACE_S, PullPolicy, Service
from fleet_core.errors import NotFoundError, RefusedError, RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleet_agent.health.checks import CheckResult
    from fleet_core.contracts.containers import InitContainer
    from fleet_core.contracts.probes import Probe

LABEL_PREFIX: Final = "fleet.nationtech.io"
STOP_GRACE_S: Final = float(DEFAULT_STOP_GRACE_S)
SAVED_LOG_MAX_BYTES: Final = 64 * 1024
"""What is kept of a finished container's log: its end."""


class RuntimeUnavailableError(RetryLaterError):
    """The runtime does not answer; what runs is not known."""

    kind = "runtime-unavailable"


class ImageNotFoundError(NotFoundError):
    """No registry has the image, or it may not be pulled."""

    kind = "image-not-found"


class ImagePullError(RetryLaterError):
    """The image could not be pulled this time: network, registry or disk."""

    kind = "image-pull"


class ContainerStartError(RetryLaterError):
    """The container could not be created or started: a port, a volume, the program itself."""

    kind = "container-start"

    def __init__(self, message: str, *, remedy: str = "", exit_code: int = 125) -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code
        """podman's own: 125 it failed, 126 the program is not executable, 127 not found."""


class ImageNeverPulledError(NotFoundError):
    """The image is not on the device, and its policy says that it is never pulled."""

    kind = "image-never-pulled"


class ContainerConfigError(RefusedError):
    """The container asks for what this device does not allow; asking again changes nothing."""

    kind = "container-config"


class Role(StrEnum):
    """What a container is in its deployment."""

    INIT = "init"
    SERVICE = "service"


class RunState(StrEnum):
    """Where a container is in its life."""

    UNSTARTED = "unstarted"
    """It exists, and nobody is starting it: the agent that made it ended in between."""
    CREATED = "created"
    """It exists, its process is being started."""
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class ContainerKey:
    """What names a container on one device: at most one exists at a time."""

    deployment: str
    container: str

    @property
    def runtime_name(self) -> str:
        """The name in the runtime; unambiguous, since neither part holds a dot."""
        return f"fleet-{self.deployment}.{self.container}"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container to run, with what its labels must tell a later agent."""

    key: ContainerKey
    container: InitContainer | Service
    role: Role
    spec_hash: str
    """Of the whole score: another hash is another Pod, in Kubernetes' words."""
    boot_id: str
    """Of the boot it was started in: another boot is another sandbox."""
    attempt: int = 0
    """How often it was started before, with this spec and in this boot."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels that a runtime puts on the container."""
        return {
            f"{LABEL_PREFIX}/deployment": self.key.deployment,
            f"{LABEL_PREFIX}/container": self.key.container,
            f"{LABEL_PREFIX}/role": self.role.value,
            f"{LABEL_PREFIX}/spec-hash": self.spec_hash,
            f"{LABEL_PREFIX}/boot-id": self.boot_id,
            f"{LABEL_PREFIX}/attempt": str(self.attempt),
            f"{LABEL_PREFIX}/stop-grace-s": str(self.stop_grace_s),
        }

    @property
    def stop_grace_s(self) -> int:
        """Seconds between its stop signal and KILL."""
        container = self.container
        return container.stop_grace_s if isinstance(container, Service) else DEFAULT_STOP_GRACE_S

    def is_same_run(self, found: Snapshot) -> bool:
        """Tell whether the container that was found is this very run."""
        return (found.role, found.spec_hash, found.boot_id, found.attempt) == (
            self.role,
            self.spec_hash,
            self.boot_id,
            self.attempt,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A container as the runtime sees it now."""

    key: ContainerKey
    container_id: str
    image: str
    role: Role
    spec_hash: str
    boot_id: str
    attempt: int
    state: RunState
    started_at_s: float | None = None
    """Unix seconds."""
    finished_at_s: float | None = None
    exit_code: int | None = None
    oom_killed: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's log."""

    at_s: float
    """Unix seconds."""
    text: str


@dataclass(frozen=True, slots=True)
class Exited:
    """It ended by itself, or was killed by somebody else."""

    exit_code: int
    started_at_s: float
    finished_at_s: float
    oom_killed: bool = False
    log: tuple[LogLine, ...] = ()
    """The end of its log, at most `SAVED_LOG_MAX_BYTES`."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It ran into its timeout and was removed by force."""

    waited_s: float
    started_at_s: float
    finished_at_s: float
    log: tuple[LogLine, ...] = ()
    """The end of its log, read before it was removed."""


@dataclass(frozen=True, slots=True)
class ExecOutcome:
    """What a program said that was run in a container."""

    exit_code: int | None
    """None where the time was over and it was killed."""
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class ContainerRuntime(ABC):
    """A container runtime on one device.

    Every method may raise `RuntimeUnavailableError`, and may be cancelled at any time: what the
    runtime was told is then done or not done, never half known to later calls.
    """

    @abstractmethod
    async def describe(self) -> str:
        """Return the runtime's name and version, for the device's inventory."""

    @abstractmethod
    async def pull_image(
        self,
        image: str,
        policy: PullPolicy = PullPolicy.IF_NOT_PRESENT,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Make the image available, as its policy says, and see that it runs on this device.

        ``on_progress`` is told now and then how far the pull is, in words.

        Raises:
            ImageNotFoundError: it does not exist, or may not be pulled.
            ImageNeverPulledError: it is not here, and the policy is ``Never``.
            ImagePullError: it could not be pulled this time, or is for another architecture.
        """

    @abstractmethod
    async def ensure_service_running(self, spec: ContainerSpec) -> Snapshot:
        """Start the service unless this very run of it (same labels) is there and runs.

        Any other container of the same name is stopped and removed first.

        Raises:
            ImageNotFoundError: the image is not on the device; it is not pulled here.
            ContainerConfigError: this device does not allow what it asks for.
            ContainerStartError: the container could not be created or started.
        """

    @abstractmethod
    async def run_to_completion(self, spec: ContainerSpec, timeout_s: float) -> Exited | TimedOut:
        """Run an init container and return how it ended.

        This very run of it (same labels) is adopted, running or exited; any other container of the
        same name is stopped and removed first. The timeout counts from the container's start; when
        it is over the container is removed by force. An exited container is left for
        `list_init_containers` and `logs`. Cancelling leaves the container running.

        Raises:
            ImageNotFoundError: the image is not on the device; it is not pulled here.
            ContainerConfigError: this device does not allow what it asks for.
            ContainerStartError: the container could not be created or started.
        """

    @abstractmethod
    async def list_managed_services(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all service containers that carry our labels, of one deployment or of all."""

    @abstractmethod
    async def list_init_containers(self, deployment: str | None = None) -> Sequence[Snapshot]:
        """Return all init containers that carry our labels, running or exited."""

    @abstractmethod
    async def container_status(self, key: ContainerKey) -> Snapshot | None:
        """Return the container as it is now; None where there is none."""

    @abstractmethod
    async def logs(
        self, key: ContainerKey, *, tail: int, since_s: float | None = None
    ) -> Sequence[LogLine]:
        """Return the last ``tail`` lines written at or after ``since_s`` (Unix seconds).

        Raises:
            NotFoundError: there is no such container.
        """

    @abstractmethod
    async def exec(
        self, key: ContainerKey, argv: Sequence[str], timeout_s: float, limit_bytes: int
    ) -> ExecOutcome:
        """Run a program in a running container; each stream is cut at ``limit_bytes``.

        Raises:
            NotFoundError: there is no such container, or it does not run.
        """

    @abstractmethod
    async def check_health(self, key: ContainerKey, probe: Probe) -> CheckResult:
        """Do a health check of a running container once.

        What the container does is never an error: it is the result.
        """

    @abstractmethod
    async def stop(self, key: ContainerKey, grace_s: float | None = None) -> None:
        """Send its stop signal, and KILL after ``grace_s``; return when it has ended.

        Without ``grace_s`` its own spec's grace counts. A container that is absent or has ended is
        left as it is.
        """

    @abstractmethod
    async def remove(self, key: ContainerKey) -> None:
        """Remove the container, by force if it still runs; absent is as good as removed."""

    @abstractmethod
    async def forget_deployment(self, deployment: str) -> None:
        """Let go of what else a deployment had: its network. Its volumes are kept."""

    @abstractmethod
    def on_change(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed(deployment)`` when one of its containers has started or ended.

        An empty name stands for all of them: what happened meanwhile was not heard.

        A hint that may be lost or come twice, given on the event loop; never raises into the
        runtime. Returns what ends the subscription.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the runtime; containers go on running."""
