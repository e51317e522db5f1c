"""One deployment's loop: look, decide, act, tell; begun anew by whatever changes."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile import actions
from fleet_agent.reconcile.decisions import (
    Finished,
    PullImage,
    Remove,
    RunInit,
    StartService,
    Wait,
    decide,
)
from fleet_agent.reconcile.observation import fold, look, needs_inits
from fleet_agent.reconcile.progress import Progress, Seen
from fleet_agent.reconcile.status import Status, status
from fleet_agent.runtime.contract import RuntimeUnavailableError
from fleet_agent.wake import Wake
from fleet_core.contracts.states import Phase

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fleet_agent.reconcile.actions import Change
    from fleet_agent.reconcile.decisions import Action
    from fleet_agent.reconcile.progress import Desired
    from fleet_agent.reconcile.surroundings import Surroundings

_log = logging.getLogger(__name__)
RUNTIME_RETRY_S: Final = 5.0
SETTLE_S: Final = 0.05
INVALID_SPEC: Final = "InvalidSpec"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A desired spec that cannot be obeyed; what ran before goes on."""

    generation: int
    spec_hash: str
    message: str


class DeploymentWorker:
    """Makes one deployment so, and keeps it so; the newest wish always wins."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.desired: Desired | None = None
        """The last wish that could be obeyed; None before the first."""
        self.removing = False
        """Whether nothing of the deployment shall be left."""
        self._around = around
        self._refusal: Refusal | None = None
        self._progress = Progress()
        self._version = 0
        self._wake = Wake()
        self._told_from: object = None
        """What the last published status was made from."""

    def want(self, desired: Desired) -> None:
        """Have this running; what an older spec is doing is broken off."""
        same = self.desired is not None and self.desired.spec_hash == desired.spec_hash
        if not same:
            self._progress = Progress(pulls=self._progress.pulls)
        if not same or self.removing:
            self._version += 1
        self.desired, self.removing, self._refusal = desired, False, None
        self._wake()

    def refuse(self, refusal: Refusal) -> None:
        """Tell that the newest wish is malformed, and keep to the one before."""
        self._refusal = refusal
        self._wake()

    def remove(self) -> None:
        """Have nothing of it left."""
        self._refusal = None
        if not self.removing:
            self.removing = True
            self._version += 1
            self._wake()

    def goes_on_after_removal(self) -> bool:
        """Tell whether it was named again meanwhile, by a wish of which there is only to tell."""
        if self._refusal is None:
            return False
        self.desired, self.removing, self._progress = None, False, Progress()
        return True

    def start_over(self) -> None:
        """Run it again from its first init container, with the same spec."""
        self._progress = replace(self._progress, starting_over=True)
        self._version += 1
        self._wake()

    def hint(self) -> None:
        """Look again: something may have changed."""
        self._wake()

    async def run(self) -> None:
        """Work until nothing of the deployment is left, which only `remove` brings about."""
        while True:
            try:
                action = await self._step()
            except RuntimeUnavailableError as error:
                _log.warning("%s: the container runtime does not answer: %s", self.name, error)
                await self._wake.wait(RUNTIME_RETRY_S)
                continue
            if isinstance(action, Finished):
                return

    async def _step(self) -> Action | None:
        """Look, and do one thing; None where the wish changed before it could be decided."""
        version = self._version
        seen = await self._look()
        if self._version != version:
            return None
        if self.desired is None and not self.removing:
            self._tell(seen)
            await self._wake.wait()
            return None
        action = self._decide(seen)
        self._tell(seen)
        while isinstance(action, PullImage):
            # A pull changes nothing that a look would show.
            await self._unless_changed(actions.pull_image(self._around, action))
            if self._version != version:
                return None
            action = self._decide(seen)
            self._tell(seen)
        await self._do(action)
        return action

    def _decide(self, seen: Seen) -> Action:
        wanted = None if self.removing else self.desired
        now_s = self._around.clock.monotonic()
        return decide(wanted, seen, self._progress, self._around.boot_id, now_s)

    async def _look(self) -> Seen:
        """Look at the containers, and take note."""
        desired, version = self.desired, self._version
        everything = self.removing or needs_inits(self._progress)
        seen = await look(self._around, self.name, inits=everything)
        if desired is not None and not self.removing:
            progress = await fold(self._around, desired, seen, self._progress)
            if self._version == version:
                self._progress = progress
        return seen

    async def _do(self, action: Action) -> None:
        desired = self.desired
        match action:
            case Remove():
                await actions.remove(self._around, action)
            case RunInit() if desired is not None:
                running = actions.run_init(self._around, self.name, desired, action)
                await self._unless_changed(running)
            case StartService() if desired is not None:
                starting = actions.start_service(self._around, self.name, desired, action)
                await self._unless_changed(starting)
            case Wait():
                await self._wait(action)
            case _:
                return

    async def _wait(self, action: Wait) -> None:
        # Jitter, so that many deployments are not looked at in the same moment.
        limit_s = self._around.drift_interval_s * random.uniform(0.8, 1.0)
        if action.until_s is not None:
            remaining_s = action.until_s - self._around.clock.monotonic()
            limit_s = min(limit_s, max(0.0, remaining_s))
        await self._wake.wait(limit_s)

    async def _unless_changed(self, work: Coroutine[None, None, Change]) -> None:
        """Do the work to its end, or break it off when the wish changes; look on meanwhile."""
        version = self._version
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake())
        try:
            while not task.done():
                await self._wake.wait()
                if self._version == version and not task.done():
                    # What starts and ends in one breath is told of by its end.
                    await self._wake.wait(SETTLE_S)
                if self._version != version:
                    return
                if not task.done():
                    self._tell(await self._look())
            change = task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        if self._version == version:
            self._progress = change(self._progress)

    def _tell(self, seen: Seen) -> None:
        """Publish how the deployment stands, by the newest wish."""
        if self.removing:
            return
        now_s = self._around.clock.monotonic()
        evidence = (self.desired, self._refusal, seen, self._progress.evidence(now_s))
        if evidence == self._told_from:
            return
        self._told_from = evidence
        told: Status | None = None
        if self.desired is not None:
            own, _ = seen.split(self.desired, self._around.boot_id)
            told = status(self.desired, own, self._progress, now_s)
        states = self._around.states
        if self._refusal is not None:
            refusal = self._refusal
            told = _refused(refusal, told)
            states.publish(self.name, refusal.generation, refusal.spec_hash, told)
        elif told is not None and self.desired is not None:
            states.publish(self.name, self.desired.generation, self.desired.spec_hash, told)


def _refused(refusal: Refusal, running: Status | None) -> Status:
    """Return the status under a malformed spec: Failed, with what goes on running meanwhile."""
    before = Status(Phase.FAILED, INVALID_SPEC) if running is None else running
    return replace(
        before, phase=Phase.FAILED, reason=INVALID_SPEC, last_error=refusal.message, failure=None
    )
