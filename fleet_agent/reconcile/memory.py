"""What must be known of a deployment beyond one version of it: the wish, the last good one, why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fleet_agent.reconcile.progress import Progress, pulls_for
from fleet_agent.reconcile.seen import Desired  # noqa: TC001 - pydantic reads the annotations
from fleet_core.contracts.states import Failure  # noqa: TC001 - as above


@dataclass(frozen=True, slots=True)
class Fallback:
    """A version was given up, and the last good one runs in its place."""

    spec_hash: str
    """Of the version that was given up."""
    message: str
    failure: Failure | None = None
    """What held it back."""


@dataclass(frozen=True, slots=True)
class Memory:
    """All that a worker knows; values, changed by pure functions, kept on disk."""

    desired: Desired | None = None
    """The last wish that could be obeyed; None before the first."""
    last_good: Desired | None = None
    """The last version of which all services were ready."""
    fallback: Fallback | None = None
    progress: Progress = field(default_factory=Progress)
    """Of `effective`."""
    boot_id: str = ""
    """The boot that the progress belongs to."""

    @property
    def effective(self) -> Desired | None:
        """What is to run: the wish, or the last good version where the wish was given up."""
        return self.last_good if self.fallback is not None else self.desired

    def wanting(self, desired: Desired) -> Memory:
        """Return the memory with another wish; what the same spec has been through still counts."""
        known = self.desired
        if known is not None and known.spec_hash == desired.spec_hash:
            return replace(self, desired=desired)
        running = self.effective
        if running is not None and running.spec_hash == desired.spec_hash:
            return replace(self, desired=desired, fallback=None)
        progress = Progress(pulls=pulls_for(self.progress, desired))
        return replace(self, desired=desired, fallback=None, progress=progress)

    def starting_over(self) -> Memory:
        """Return the memory after somebody asked for all of it to be run again."""
        progress = self.progress if self.fallback is None else Progress(pulls=self.progress.pulls)
        progress = replace(progress, starting_over=True, completed_once=frozenset())
        return replace(self, fallback=None, progress=progress)

    def proven(self) -> Memory:
        """Return the memory after the wish has turned out to be good."""
        return replace(self, last_good=self.desired)

    def given_up(self, message: str, failure: Failure | None) -> Memory:
        """Return the memory after the wish was given up for the last good version."""
        if self.desired is None or self.last_good is None:
            return self
        fallback = Fallback(self.desired.spec_hash, message, failure)
        progress = Progress(pulls=self.progress.pulls)
        return replace(self, fallback=fallback, progress=progress)

    def in_boot(self, boot_id: str) -> Memory:
        """Return the memory as a boot finds it: another one begins with its init containers."""
        if boot_id == self.boot_id:
            return self
        return replace(self, boot_id=boot_id, progress=self.progress.in_another_boot())

    def to_keep(self) -> Memory:
        """Return what of it goes to disk: the images are looked at again."""
        return replace(self, progress=replace(self.progress, pulls={}))
