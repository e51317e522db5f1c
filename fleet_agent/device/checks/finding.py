"""What a check finds: a word, what was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_agent.config_model import AgentConfig
    from fleet_agent.device.machine import Machine

CHECK_DEADLINE_S: Final = 5.0
"""Whatever hangs, hangs no longer."""
_TEXT_MAX: Final = 400


class Level(StrEnum):
    """How a finding is."""

    OK = "ok"
    WARN = "warn"
    """It works, though not for long or not in every case."""
    FAIL = "fail"
    """The device cannot do its work like this."""
    SKIP = "skip"
    """It could not be looked at, or does not matter here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what ``fleet-agent check`` tells; without secrets."""

    level: Level
    about: str
    """One or two words, as ``podman socket``."""
    what: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what stands in the JSON output."""
        return {
            "level": self.level.value,
            "about": self.about,
            "what": self.what,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at."""

    machine: Machine
    config: AgentConfig | None
    """None where it is wrong: what needs it is skipped then."""

    @property
    def uses_podman(self) -> bool:
        """Whether this device runs containers with podman."""
        agent = self.config.agent if self.config else None
        return agent is None or (agent.runtime_enabled and agent.runtime == "podman")


if TYPE_CHECKING:
    Check = Callable[[Subject], Awaitable[list[Finding]]]


def ok(about: str, what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(Level.OK, about, printable(what, _TEXT_MAX))


def warn(about: str, what: str, remedy: str) -> Finding:
    """Return a finding that something will not do for long."""
    return Finding(Level.WARN, about, printable(what, _TEXT_MAX), printable(remedy, _TEXT_MAX))


def fail(about: str, what: str, remedy: str) -> Finding:
    """Return a finding that something does not work."""
    return Finding(Level.FAIL, about, printable(what, _TEXT_MAX), printable(remedy, _TEXT_MAX))


def skip(about: str, what: str) -> Finding:
    """Return that something was not looked at, and why."""
    return Finding(Level.SKIP, about, printable(what, _TEXT_MAX))
