"""What one version of a deployment has been through on this device, as far as decisions need it.

Values, changed by pure functions. They are kept on disk (`reconcile.memory`), but nothing here must
survive: what a later agent cannot do without stands on the containers' labels, and `observed` reads
it back.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.back_off import MAX_DELAY_S, BackOff
from fleet_agent.runtime.contract import Role, RunState
from fleet_core.contracts.containers import PullPolicy, RunPolicy
from fleet_core.contracts.scores import PodmanV0  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_agent.health.probing import ServiceHealth
    from fleet_agent.runtime.contract import Snapshot
    from fleet_core.contracts.containers import InitContainer

COMPLETED: Final = "Completed"
ERROR: Final = "Error"
OOM_KILLED: Final = "OOMKilled"
START_ERROR: Final = "StartError"
CONFIG_ERROR: Final = "CreateContainerConfigError"
INIT_TIMEOUT: Final = "InitTimeout"
ERR_IMAGE_PULL: Final = "ErrImagePull"
ERR_IMAGE_NEVER_PULL: Final = "ErrImageNeverPull"
STATUS_UNKNOWN: Final = "ContainerStatusUnknown"
"""The kubelet's word for a container that vanished without an exit code."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks: the first is for waiting, the second for showing."""

    monotonic_s: float
    unix_s: float


@dataclass(frozen=True, slots=True)
class Desired:
    """What the manifest asks for, and the score at the hash that it names."""

    generation: int
    spec_hash: str
    score: PodmanV0


@dataclass(frozen=True, slots=True)
class Seen:
    """A deployment's containers as the runtime tells of them."""

    services: tuple[Snapshot, ...] = ()
    inits: tuple[Snapshot, ...] = ()
    health: Mapping[str, ServiceHealth] = field(default_factory=dict)
    """Of running services of the wanted spec, by name."""

    def __iter__(self) -> Iterator[Snapshot]:
        yield from self.services
        yield from self.inits

    def split(self, desired: Desired, boot_id: str) -> tuple[Seen, Seen]:
        """Return the containers that belong to the desired spec in this boot, and the others.

        One of its own that was made and never started is left out of both: it will be started.
        """
        names = {
            Role.INIT: {container.name for container in desired.score.init_containers},
            Role.SERVICE: {container.name for container in desired.score.services},
        }

        def belongs(found: Snapshot) -> bool:
            return (
                found.spec_hash == desired.spec_hash
                and found.boot_id == boot_id
                and found.key.container in names[found.role]
            )

        def part(found: tuple[Snapshot, ...], *, own: bool) -> tuple[Snapshot, ...]:
            return tuple(
                each
                for each in found
                if belongs(each) is own and not (own and each.state is RunState.UNSTARTED)
            )

        own = Seen(part(self.services, own=True), part(self.inits, own=True), self.health)
        foreign = Seen(part(self.services, own=False), part(self.inits, own=False))
        return own, foreign

    def find(self, role: Role, name: str) -> Snapshot | None:
        """Return the container of that name in that role."""
        among = self.inits if role is Role.INIT else self.services
        return next((found for found in among if found.key.container == name), None)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a container ended."""

    attempt: int
    exit_code: int | None
    """None where no program's exit code stands behind the end."""
    reason: str
    message: str = ""
    started_at_s: float | None = None
    finished_at_s: float | None = None
    last_lines: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it did what it was for."""
        return self.reason == COMPLETED

    @property
    def ran_for_s(self) -> float:
        """How long it ran; 0 where that is not known."""
        if self.started_at_s is None or self.finished_at_s is None:
            return 0.0
        return max(0.0, self.finished_at_s - self.started_at_s)


@dataclass(frozen=True, slots=True)
class ContainerProgress:
    """The runs of one container under the present spec and boot."""

    attempt: int = -1
    """Of the newest run; -1 before the first."""
    last: Ended | None = None
    before_last: Ended | None = None
    back_off: BackOff = field(default_factory=BackOff)


@dataclass(frozen=True, slots=True)
class PullProgress:
    """Pulls of one image."""

    ready: bool = False
    back_off: BackOff = field(default_factory=BackOff)
    error: str = ""
    reason: str = ERR_IMAGE_PULL
    note: str = ""
    """How far a pull that is under way is, in words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole of it; begins anew with each spec hash."""

    containers: Mapping[str, ContainerProgress] = field(default_factory=dict)
    pulls: Mapping[str, PullProgress] = field(default_factory=dict)
    initialised: bool = False
    """Never goes back within one spec hash and boot."""
    starting_over: bool = False
    """Somebody asked for it to be run again from its first init container."""
    pulled: frozenset[str] = frozenset()
    """Images that were pulled for this spec: the policy ``Always`` is content with that."""
    completed_once: frozenset[str] = frozenset()
    """Init containers with ``OncePerVersion`` that have succeeded with this spec, in any boot."""
    progressed_at_s: float | None = None
    """When it last came nearer to running, on the monotonic clock."""
    ready_since_s: float | None = None
    """Since when all of its services have been ready, on the monotonic clock."""

    def of(self, name: str) -> ContainerProgress:
        """Return the container's progress."""
        return self.containers.get(name, _NOT_STARTED)

    def pull_of(self, image: str) -> PullProgress:
        """Return the image's progress."""
        return self.pulls.get(image, _NOT_PULLED)

    def evidence(self, now_s: float) -> object:
        """Return what a status depends on; while it is equal, so is the status."""
        return (
            self.containers,
            self.initialised,
            self.completed_once,
            [pull for pull in self.pulls.values() if pull.error or pull.note],
            [each.back_off.remaining_s(now_s) > 0 for each in self.containers.values()],
            [each.back_off.remaining_s(now_s) > 0 for each in self.pulls.values()],
        )

    def with_started(self, name: str, attempt: int) -> Progress:
        """Return the progress after a run has begun."""
        return self._with(name, replace(self.of(name), attempt=attempt))

    def with_ended(self, name: str, ended: Ended, now: Moment) -> Progress:
        """Return the progress after a run has ended; its back-off counts from its end.

        One end may be heard of twice, from the run itself and from a look at its container.
        """
        known = self.of(name)
        if known.last is not None and known.last.attempt >= ended.attempt:
            return self
        ago_s = 0.0 if ended.finished_at_s is None else now.unix_s - ended.finished_at_s
        # The wall clock may have been set in between: no more than the longest delay is believed.
        ended_at_s = now.monotonic_s - min(max(ago_s, 0.0), MAX_DELAY_S)
        # Where the agent was restarted only the label tells how many runs came before.
        ends = known.back_off.ends if known.last is not None else ended.attempt
        back_off = BackOff(ends).after_end(ended_at_s, ended.ran_for_s)
        changed = self._with(name, ContainerProgress(ended.attempt, ended, known.last, back_off))
        return changed.with_progress(now) if ended.succeeded else changed

    def with_progress(self, now: Moment) -> Progress:
        """Return the progress after a step towards running."""
        return replace(self, progressed_at_s=now.monotonic_s)

    def with_completed_once(self, name: str) -> Progress:
        """Return the progress after an init container that runs once per version succeeded."""
        return replace(self, completed_once=self.completed_once | {name})

    def with_readiness(self, now_s: float, *, ready: bool) -> Progress:
        """Return the progress with what is known of its services now."""
        if ready == (self.ready_since_s is not None):
            return self
        return replace(self, ready_since_s=now_s if ready else None)

    def with_pull_note(self, image: str, note: str) -> Progress:
        """Return the progress while an image is pulled."""
        pull = replace(self.pull_of(image), note=note)
        return replace(self, pulls={**self.pulls, image: pull})

    def with_pulled(self, image: str, now: Moment) -> Progress:
        """Return the progress after the image has become available."""
        pulls = {**self.pulls, image: PullProgress(ready=True)}
        return replace(self, pulls=pulls, pulled=self.pulled | {image}).with_progress(now)

    def with_pull_failed(self, image: str, error: str, now: Moment, reason: str) -> Progress:
        """Return the progress after a pull has failed."""
        back_off = self.pull_of(image).back_off.after_end(now.monotonic_s, 0.0)
        pull = PullProgress(False, back_off, error, reason)
        return replace(self, pulls={**self.pulls, image: pull})

    def in_another_boot(self) -> Progress:
        """Return what still counts after a reboot."""
        return Progress(pulled=self.pulled, completed_once=self.completed_once)

    def without_image(self, image: str) -> Progress:
        """Return the progress after the image was found to be gone from the device."""
        return replace(
            self, pulls={known: pull for known, pull in self.pulls.items() if known != image}
        )

    def _with(self, name: str, container: ContainerProgress) -> Progress:
        return replace(self, containers={**self.containers, name: container})


def pulls_for(progress: Progress, desired: Desired) -> dict[str, PullProgress]:
    """Return what is known of images that still counts for a version that is begun anew."""
    containers = (*desired.score.init_containers, *desired.score.services)
    always = {each.image for each in containers if each.image_pull_policy is PullPolicy.ALWAYS}
    return {image: pull for image, pull in progress.pulls.items() if image not in always}


_NOT_STARTED: Final = ContainerProgress()
_NOT_PULLED: Final = PullProgress()


def newly_ended(progress: Progress, own: Seen) -> tuple[Snapshot, ...]:
    """Return the exited containers whose end the progress does not know yet."""
    return tuple(
        found
        for found in own
        if found.state is RunState.EXITED
        and not _knows_end(progress.of(found.key.container), found)
    )


def _knows_end(known: ContainerProgress, found: Snapshot) -> bool:
    return known.last is not None and known.last.attempt >= found.attempt


def vanished(progress: Progress, desired: Desired, own: Seen) -> tuple[str, ...]:
    """Return the services that were started, are not known to have ended, and are not there."""
    return tuple(
        service.name
        for service in desired.score.services
        if own.find(Role.SERVICE, service.name) is None
        and (known := progress.of(service.name)).attempt >= 0
        and (known.last is None or known.last.attempt < known.attempt)
    )


def observed(progress: Progress, desired: Desired, own: Seen) -> Progress:
    """Return the progress with what the containers themselves prove.

    A service container of this spec in this boot proves that all init containers succeeded.
    """
    for found in own:
        if progress.of(found.key.container).attempt < found.attempt:
            progress = progress.with_started(found.key.container, found.attempt)
    initialised = (
        progress.initialised
        or bool(own.services)
        or next_init(progress, desired, own) == len(desired.score.init_containers)
    )
    return replace(progress, initialised=initialised)


def next_init(progress: Progress, desired: Desired, own: Seen) -> int:
    """Return the index of the init container whose turn it is; their number if all are done."""
    index = _next_unproved(progress, desired, own)
    containers = desired.score.init_containers
    while index < len(containers) and _is_completed_once(containers[index], progress):
        index += 1
    return index


def _is_completed_once(container: InitContainer, progress: Progress) -> bool:
    once = container.run_policy is RunPolicy.ONCE_PER_VERSION
    return once and container.name in progress.completed_once


def _next_unproved(progress: Progress, desired: Desired, own: Seen) -> int:
    """Return the index after the last one that is known to have succeeded in this boot.

    Looked for from the last to the first, as the kubelet does: one that runs or has run proves
    that those before it succeeded, even if their records are gone.
    """
    containers = desired.score.init_containers
    for index in range(len(containers) - 1, -1, -1):
        name = containers[index].name
        found = own.find(Role.INIT, name)
        if found is not None and found.state is not RunState.EXITED:
            return index
        last = progress.of(name).last
        if last is not None:
            return index + 1 if last.succeeded else index
    return 0


def ended_from(found: Snapshot, last_lines: str, because: str = "") -> Ended:
    """Return how a container ended, in Kubernetes' words; ``because`` is why the agent ended it."""
    exit_code = found.exit_code if found.exit_code is not None else -1
    reason, message = explain_exit(exit_code, oom_killed=found.oom_killed)
    message = because or message
    return Ended(
        found.attempt,
        exit_code,
        reason,
        message,
        found.started_at_s,
        found.finished_at_s,
        last_lines,
    )


def explain_exit(exit_code: int, *, oom_killed: bool) -> tuple[str, str]:
    """Return the reason and message of an exit code; 125 to 127 are podman's own."""
    if oom_killed:
        return OOM_KILLED, "killed: it used more memory than it may"
    match exit_code:
        case 0:
            return COMPLETED, ""
        case 125:
            return START_ERROR, "the container runtime could not run it"
        case 126:
            return START_ERROR, "its program is not executable"
        case 127:
            return START_ERROR, "its program was not found"
        case _:
            return ERROR, ""
