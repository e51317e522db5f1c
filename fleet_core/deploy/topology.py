"""The seam between what a Score wants to run and where it runs: `Topology`, `Program`, `Place`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePath


class Executable(StrEnum):
    """The programs that the fleet consists of; a topology knows where each is found."""

    NATS_SERVER = "nats-server"
    FLEET = "fleet"
    FLEET_AGENT = "fleet-agent"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a topology put a program: what the program's arguments and files may refer to."""

    directory: PurePath
    """The program's own directory; it outlives restarts of the program."""
    host: str
    """The address to listen on."""
    port: int
    """The port to listen on; 0 for a program that does not listen."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep running: restarted when it ends, in the same place."""

    name: str
    """Unique within a topology; a DNS label, so that it can name a file, a unit or a Pod."""
    executable: Executable
    arguments: Callable[[Place], tuple[str, ...]]
    files: Callable[[Place], dict[str, str]] = lambda _: {}
    """Files to write into its directory before it starts: name → content."""
    listens: bool = False
    """It takes TCP connections at its place's host and port."""


class Topology(ABC):
    """Somewhere to run a fleet's programs.

    Every method is level-triggered: it says what should be, and doing it twice changes nothing.
    """

    @abstractmethod
    async def ensure_running(self, program: Program) -> None:
        """Have the program running and kept running; another of its name is replaced.

        Returns when it was started (and listens, where it should): whether it is *ready* is for
        the Score's smoke test to find out.

        Raises:
            BrokenError: it is not installed here, or it ended at once; carries its last log lines.
        """

    @abstractmethod
    async def ensure_stopped(self, name: str) -> None:
        """Have no program of that name running; its directory stays."""

    @abstractmethod
    async def address(self, name: str) -> tuple[str, int]:
        """Return the host and port at which a listening program is reached.

        Raises:
            NotFoundError: no such program listens here.
        """

    @abstractmethod
    async def check(self, name: str) -> None:
        """Return if the program has been running without a break since it was last started.

        Raises:
            NotFoundError: there is no such program.
            BrokenError: it has ended; carries its last log lines.
        """

    @abstractmethod
    async def log_tail(self, name: str) -> list[str]:
        """Return the last lines the program wrote, oldest first, safe to show; may be empty."""
