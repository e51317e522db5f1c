"""One deployment's loop: look, decide, act, tell; begun anew by whatever changes."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile import actions
from fleet_agent.reconcile.decisions import (
    Finished,
    PullImage,
    Remove,
    RunInit,
    StartService,
    StopUnhealthy,
    Wait,
    decide,
)
from fleet_agent.reconcile.judgement import Verdict, judge
from fleet_agent.reconcile.memory import Memory
from fleet_agent.reconcile.observation import fold, look, needs_inits, with_health
from fleet_agent.reconcile.status import Status, status
from fleet_agent.reconcile.telling import Refusal, Teller
from fleet_agent.runtime.contract import RuntimeUnavailableError
from fleet_agent.wake import Wake

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fleet_agent.reconcile.actions import Change
    from fleet_agent.reconcile.decisions import Action
    from fleet_agent.reconcile.progress import Progress
    from fleet_agent.reconcile.seen import Desired, Seen
    from fleet_agent.reconcile.surroundings import Surroundings

_log = logging.getLogger(__name__)
RUNTIME_RETRY_S: Final = 5.0
SETTLE_S: Final = 0.05
NOTE_INTERVAL_S: Final = 2.0
"""How far a pull is, is told at most this often."""


class DeploymentWorker:
    """Makes one deployment so, and keeps it so; the newest wish always wins."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.memory = Memory(boot_id=around.boot_id)
        self.removing = False
        """Whether nothing of the deployment shall be left."""
        self._around = around
        self._refusal: Refusal | None = None
        self._version = 0
        self._wake = Wake()
        self._teller = Teller(name, around.states)
        self._kept: Memory | None = None
        self._until_s: float | None = None
        """When the verdict on the version may change by itself."""
        self._noted_at_s = -NOTE_INTERVAL_S

    @property
    def desired(self) -> Desired | None:
        """The last wish that could be obeyed; None before the first."""
        return self.memory.desired

    def recall(self, memory: Memory) -> None:
        """Go on with what an earlier agent knew."""
        self.memory = memory.in_boot(self._around.boot_id)
        self._version += 1
        self._wake()

    def want(self, desired: Desired) -> None:
        """Have this running; what an older spec is doing is broken off."""
        if desired == self.desired and not self.removing and self._refusal is None:
            return  # every new manifest names it again
        before = self.memory.effective
        self.memory = self.memory.wanting(desired)
        same = before is not None and before.spec_hash == desired.spec_hash
        if not same or self.removing:
            self._version += 1
        self.removing, self._refusal = False, None
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
        self.memory, self.removing = Memory(boot_id=self._around.boot_id), False
        return True

    def start_over(self) -> None:
        """Run it again from its first init container, with the same spec."""
        self.memory = self.memory.starting_over()
        self._version += 1
        self._wake()

    def hint(self) -> None:
        """Look again: something may have changed."""
        self._wake()

    async def run(self) -> None:
        """Work until nothing of the deployment is left, which only `remove` brings about."""
        try:
            while True:
                try:
                    action = await self._step()
                except RuntimeUnavailableError as error:
                    _log.warning("%s: the container runtime does not answer: %s", self.name, error)
                    if not self.removing:
                        self._teller.tell_unavailable(self.memory, str(error))
                    await self._wake.wait(RUNTIME_RETRY_S)
                    continue
                if isinstance(action, Finished):
                    await self._around.runtime.forget_deployment(self.name)
                    return
        finally:
            self._around.health.forget(self.name)

    @property
    def _progress(self) -> Progress:
        return self.memory.progress

    @_progress.setter
    def _progress(self, progress: Progress) -> None:
        self.memory = replace(self.memory, progress=progress)

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
        while isinstance(action, PullImage) and self._version == version:
            # A pull changes nothing that a look would show.
            await self._unless_changed(actions.pull_image(self._around, action, self._note))
            if self._version != version:
                return None
            action = self._decide(seen)
            self._tell(seen)
        if self._version == version:
            await self._do(action)
        return action

    def _decide(self, seen: Seen) -> Action:
        wanted = None if self.removing else self.memory.effective
        now_s = self._around.clock.monotonic()
        return decide(wanted, seen, self._progress, self._around.boot_id, now_s)

    async def _look(self) -> Seen:
        """Look at the containers, and take note."""
        desired, version = self.memory.effective, self._version
        everything = self.removing or needs_inits(self._progress)
        seen = await look(self._around, self.name, inits=everything)
        if desired is not None and not self.removing:
            progress = await fold(self._around, desired, seen, self._progress)
            if self._version == version:
                self._progress = progress
                seen = with_health(self._around, self.name, desired, seen, progress)
        return seen

    async def _do(self, action: Action) -> None:
        desired = self.memory.effective
        match action:
            case Remove():
                await actions.remove(self._around, action)
            case RunInit() if desired is not None:
                running = actions.run_init(self._around, self.name, desired, action)
                await self._unless_changed(running)
            case StartService() if desired is not None:
                starting = actions.start_service(self._around, self.name, desired, action)
                await self._unless_changed(starting)
            case StopUnhealthy() if desired is not None:
                stopping = actions.stop_unhealthy(self._around, self.name, desired, action)
                await self._unless_changed(stopping)
            case Wait():
                await self._wait(action)
            case _:
                return

    async def _wait(self, action: Wait) -> None:
        # Jitter, so that many deployments are not looked at in the same moment.
        limit_s = self._around.drift_interval_s * random.uniform(0.8, 1.0)
        now_s = self._around.clock.monotonic()
        for until_s in (action.until_s, self._until_s):
            if until_s is not None:
                limit_s = min(limit_s, max(0.0, until_s - now_s))
        await self._wake.wait(limit_s)

    async def _unless_changed(self, work: Coroutine[None, None, Change]) -> None:
        """Do the work to its end, or break it off when the wish changes; look on meanwhile."""
        version = self._version
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake())
        try:
            while not task.done():
                await self._wake.wait(self._until_verdict())
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

    def _until_verdict(self) -> float | None:
        if self._until_s is None:
            return None
        return max(0.0, self._until_s - self._around.clock.monotonic())

    def _note(self, image: str, words: str) -> None:
        """Take note of how far a pull is."""
        now_s = self._around.clock.monotonic()
        if now_s - self._noted_at_s >= NOTE_INTERVAL_S and not self._progress.pull_of(image).ready:
            self._noted_at_s = now_s
            self._progress = self._progress.with_pull_note(image, words)
            self._wake()

    def _tell(self, seen: Seen) -> None:
        """Publish how the deployment stands, by the newest wish; and judge the wish by it."""
        if self.removing:
            return
        now_s = self._around.clock.monotonic()
        told: Status | None = None
        running = self.memory.effective
        if running is not None:
            own, _ = seen.split(running, self._around.boot_id)
            told = status(running, own, self._progress, now_s)
            self._judge(own, told, now_s)
        self._keep()
        evidence = (seen, self._progress.evidence(now_s))
        self._teller.tell(self.memory, self._refusal, told, evidence)

    def _judge(self, own: Seen, told: Status, now_s: float) -> None:
        """See whether the wish has proved itself, or is to be given up."""
        if self._progress.progressed_at_s is None:
            self._progress = self._progress.with_progress(self._around.moment())
        self._progress = self._progress.with_readiness(now_s, ready=told.is_ready)
        judgement = judge(self.memory, own, told.phase, now_s)
        self._until_s = judgement.until_s
        if judgement.verdict is Verdict.PROVEN:
            self.memory = self.memory.proven()
        elif judgement.verdict is Verdict.GIVE_UP:
            why = f"this version {judgement.why}"
            why = f"{why}: {told.last_error}" if told.last_error else why
            _log.warning("%s: %s; the last good one runs again", self.name, why)
            self.memory = self.memory.given_up(why, told.failure)
            self._version += 1
            self._wake()

    def _keep(self) -> None:
        kept = self.memory.to_keep()
        if kept != self._kept:
            self._kept = kept
            self._around.keep(self.name, kept)
