"""What one version of a deployment has been through on this device, as far as decisions need it.

Values, changed by pure functions. They are kept on disk (`reconcile.memory`), but nothing here must
survive: what a later agent cannot do without stands on the containers' labels, and `proofs` reads
it back.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.back_off import MAX_DELAY_S, BackOff
from fleet_agent.reconcile.reasons import ERR_IMAGE_PULL
from fleet_agent.reconcile.runs import ContainerProgress, Ended, Moment
from fleet_core.contracts.containers import PullPolicy

if TYPE_CHECKING:
    from fleet_agent.reconcile.seen import Desired


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
