"""What a Score is, and how it is interpreted: deployed, then proved by a smoke test."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from fleet_core.errors import BrokenError, RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_core.deploy.topology import Topology

_log = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")

PROBE_INTERVAL_S = 0.05
PROBE_TIMEOUT_S = 5.0


class Score(ABC, Generic[Outcome]):
    """One component of the fleet as it should be: plain data, the same for every topology."""

    component: ClassVar[str]
    """The name of the component, for narration."""

    @abstractmethod
    async def deploy(self, topology: Topology) -> Outcome:
        """Make it so, and return what its users need to know, such as an address.

        Raises:
            FleetError: it cannot be done here; the message says why, and what to do.
        """

    @abstractmethod
    async def smoke_test(self, topology: Topology, outcome: Outcome) -> None:
        """Return when the component answers as its users will ask it.

        Raises:
            FleetError: it does not, within the component's deadline.
        """


async def interpret(score: Score[Outcome], topology: Topology) -> Outcome:
    """Deploy a score into a topology and prove that it works there.

    Raises:
        FleetError: what `Score.deploy` and `Score.smoke_test` raise.
    """
    started_at = time.monotonic()
    outcome = await score.deploy(topology)
    await score.smoke_test(topology, outcome)
    _log.info("%s is ready after %.2f s", score.component, time.monotonic() - started_at)
    return outcome


async def until_ready(
    topology: Topology, program: str, probe: Callable[[], Awaitable[bool]], *, deadline_s: float
) -> None:
    """Repeat a probe until it holds, for as long as the program it is about runs.

    A probe that raises `RetryLaterError` does not hold yet.

    Raises:
        BrokenError: the program ended, or the deadline passed; carries its last log lines.
    """
    deadline = time.monotonic() + deadline_s
    last_error = ""
    while time.monotonic() < deadline:
        await topology.check(program)
        try:
            if await asyncio.wait_for(probe(), PROBE_TIMEOUT_S):
                return
        except (RetryLaterError, TimeoutError) as error:
            last_error = str(error)
        await asyncio.sleep(PROBE_INTERVAL_S)
    said = "\n".join(["its log ends with:", *await topology.log_tail(program)])
    reason = f": {last_error}" if last_error else ""
    raise BrokenError(f"{program} was not ready after {deadline_s:.0f} s{reason}; {said}")
