"""How simulated images and containers behave: how they start, how they end, what they log."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from fleet_agent.runtime.contract import LogLine, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_agent.runtime.contract import ContainerSpec

MAX_GENERATED_LINES: Final = 10_000
"""A service that ran for weeks is not asked for every line that it ever wrote."""


@dataclass(frozen=True, slots=True)
class ImageBehaviour:
    """How pulling an image goes on a device that lacks it."""

    pull_s: float = 0.0
    missing: bool = False
    """No registry has it."""
    failing_pulls: int = 0
    """So many pulls fail before one succeeds."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one run of a container does. By default it runs for ever, and logs nothing."""

    start_delay_s: float = 0.0
    """From created to running."""
    run_s: float | None = None
    """How long the process runs; None is for ever."""
    exit_code: int = 0
    """What it exits with after ``run_s``."""
    oom_killed: bool = False
    ignores_term: bool = False
    """Only KILL, after the grace period, ends it."""
    log: tuple[str, ...] = ()
    """Lines it writes on starting."""
    last_words: tuple[str, ...] = ()
    """Lines it writes on ending by itself."""
    chatter: tuple[str, ...] = ()
    """Lines it writes while running, one at random every ``chatter_every_s``."""
    chatter_every_s: float = 5.0

    healthy_after_s: float = 0.0
    """Health checks fail before."""
    unhealthy_after_s: float | None = None
    """Health checks fail from then on."""

    def is_healthy(self, age_s: float) -> bool:
        """Tell whether health checks succeed so long after its start."""
        sick = self.unhealthy_after_s is not None and age_s >= self.unhealthy_after_s
        return age_s >= self.healthy_after_s and not sick

    def ends_by_itself_at(self, started_s: float) -> float | None:
        """Return when a process started at ``started_s`` ends; None where it never does."""
        return None if self.run_s is None else started_s + self.run_s

    def log_lines(
        self, started_s: float, until_s: float, *, ended_by_itself: bool, seed: int, limit: int
    ) -> list[LogLine]:
        """Return the last ``limit`` lines of a run; the same for the same arguments.

        Nothing of a running container's log is stored: thousands of simulated containers cost no
        memory for it.
        """
        tail = [LogLine(until_s, text) for text in self.last_words] if ended_by_itself else []
        wanted = max(0, limit - len(tail))
        chatter = self._chatter(started_s, until_s, seed, wanted)
        wanted -= len(chatter)
        head = [LogLine(started_s, text) for text in self.log]
        lines = [*(head[-wanted:] if wanted else []), *chatter, *tail]
        return lines[-limit:] if limit else []

    def _chatter(self, started_s: float, until_s: float, seed: int, limit: int) -> list[LogLine]:
        if not self.chatter:
            return []
        written = max(0, int((until_s - started_s) / self.chatter_every_s))
        first = written - min(written, limit, MAX_GENERATED_LINES)
        return [
            LogLine(
                started_s + (index + 1) * self.chatter_every_s,
                self.chatter[random.Random(seed + index).randrange(len(self.chatter))],
            )
            for index in range(first, written)
        ]


class Script(Protocol):
    """Says how each image and each run of a container behaves on one device."""

    def image(self, image: str) -> ImageBehaviour:
        """Return how pulls of the image go."""

    def container(self, spec: ContainerSpec) -> Behaviour:
        """Return what this run does; it may depend on image, name and attempt."""


_PLAIN_IMAGE: Final = ImageBehaviour()
_PLAIN_SERVICE: Final = Behaviour()
_PLAIN_INIT: Final = Behaviour(run_s=0.0)


@dataclass(frozen=True, slots=True)
class ImageScript:
    """A script by image alone; what it does not name is pulled at once and does its work.

    That is: an init container exits 0 at once, a service runs for ever.
    """

    images: Mapping[str, ImageBehaviour] = field(default_factory=dict)
    containers: Mapping[str, Behaviour] = field(default_factory=dict)

    def image(self, image: str) -> ImageBehaviour:
        """Return what is written for the image."""
        return self.images.get(image, _PLAIN_IMAGE)

    def container(self, spec: ContainerSpec) -> Behaviour:
        """Return what is written for the container's image."""
        plain = _PLAIN_INIT if spec.role is Role.INIT else _PLAIN_SERVICE
        return self.containers.get(spec.container.image, plain)


PLAIN: Final = ImageScript()
"""Every image is there, every container does its work."""
