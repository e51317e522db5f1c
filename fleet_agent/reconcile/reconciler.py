"""All deployments of a device: one worker for each that the manifest names, and no others."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fleet_agent.reconcile.seen import Desired
from fleet_agent.reconcile.telling import Refusal
from fleet_agent.reconcile.worker import DeploymentWorker
from fleet_agent.runtime.contract import RuntimeUnavailableError
from fleet_agent.wake import Wake
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from fleet_agent.reconcile.memory import Memory
    from fleet_agent.reconcile.surroundings import Surroundings
    from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
    from fleet_core.contracts.scores import Score
    from fleet_core.errors import InvalidInputError

_log = logging.getLogger(__name__)
RESTART_WORKER_S: Final = 10.0
"""A worker that failed by a bug is started again after this long."""
_REFUSAL_MAX_CHARS: Final = 1_000


class Reconciler:
    """Takes what the device should run, and has it run (a `DesiredHandler`)."""

    def __init__(self, around: Surroundings) -> None:
        self.refused = 0
        """Scores that were malformed."""
        self.worker_failures = 0
        """Workers that ended by a bug and were started again."""
        self._around = around
        self._manifest: DeviceManifest | None = None
        self._workers: dict[str, DeploymentWorker] = {}
        self._group: asyncio.TaskGroup | None = None
        self._wake = Wake()

    def desired(self, deployment: str) -> Desired:
        """Return what the device is to run under that name.

        Raises:
            NotFoundError: nothing of that name.
        """
        worker = self._workers.get(deployment)
        if worker is None or worker.removing or worker.desired is None:
            raise NotFoundError(f"this device does not run {deployment!r}")
        return worker.desired

    def recall(self, deployment: str, memory: Memory) -> None:
        """Go on with what an earlier agent knew; to be called before anything is wanted."""
        self._worker(deployment).recall(memory)

    def start_over(self, deployment: str) -> int:
        """Run a deployment again from its first init container; returns its generation.

        Raises:
            NotFoundError: nothing of that name.
        """
        generation = self.desired(deployment).generation
        self._workers[deployment].start_over()
        return generation

    def on_manifest(self, manifest: DeviceManifest) -> None:
        """Remove what the manifest no longer names; take note of new generations."""
        self._manifest = manifest
        for name, worker in self._workers.items():
            entry = manifest.deployments.get(name)
            if entry is None:
                worker.remove()
            elif worker.desired is not None and worker.desired.spec_hash == entry.spec_hash:
                worker.want(replace(worker.desired, generation=entry.generation))
        self._wake()

    def on_score(self, deployment: str, entry: ManifestEntry, score: Score) -> None:
        """Have the deployment run with this score."""
        desired = Desired(entry.generation, entry.spec_hash, score.data)
        self._worker(deployment).want(desired)

    def on_refused(self, deployment: str, entry: ManifestEntry, error: InvalidInputError) -> None:
        """Keep the deployment as it was, and say why the new score is not obeyed."""
        self.refused += 1
        _log.warning("%s: the score is refused: %s", deployment, error)
        message = f"the score is refused, what ran before goes on: {error}"[:_REFUSAL_MAX_CHARS]
        refusal = Refusal(entry.generation, entry.spec_hash, message)
        self._worker(deployment).refuse(refusal)

    async def run(self) -> None:
        """Work until cancelled; containers then go on running."""
        unlisten = self._around.runtime.on_change(self._hint)
        self._around.listeners.append(self._hint)
        try:
            async with asyncio.TaskGroup() as self._group:
                for worker in self._workers.values():
                    self._group.create_task(self._supervise(worker))
                while True:
                    await self._remove_orphans()
                    await self._wake.wait(self._around.drift_interval_s * random.uniform(0.8, 1.0))
        finally:
            self._group = None
            unlisten()
            self._around.listeners.remove(self._hint)
            await self._around.health.close()

    def _worker(self, deployment: str) -> DeploymentWorker:
        worker = self._workers.get(deployment)
        if worker is None:
            worker = self._workers[deployment] = DeploymentWorker(deployment, self._around)
            if self._group is not None:
                self._group.create_task(self._supervise(worker))
        return worker

    async def _supervise(self, worker: DeploymentWorker) -> None:
        """Run a worker until its deployment is gone; a bug in it does not touch the others."""
        while True:
            try:
                await worker.run()
            except Exception:  # noqa: BLE001 - the other deployments must go on; counted and logged
                self.worker_failures += 1
                _log.exception("%s: its worker failed", worker.name)
                await self._around.clock.sleep(RESTART_WORKER_S)
                continue
            if worker.removing and not worker.goes_on_after_removal():
                break
        del self._workers[worker.name]
        self._around.keep(worker.name, None)
        self._around.saved_logs.forget_deployment(worker.name)
        self._around.states.forget(worker.name)

    async def _remove_orphans(self) -> None:
        """Remove containers of deployments that the manifest does not name.

        Without a manifest nothing is removed: a missing one is never an order.
        """
        if self._manifest is None:
            return
        try:
            services = await self._around.runtime.list_managed_services()
            inits = await self._around.runtime.list_init_containers()
        except RuntimeUnavailableError as error:
            _log.warning("cannot look for containers that nobody wants: %s", error)
            return
        for found in (*services, *inits):
            name = found.key.deployment
            if name not in self._manifest.deployments and name not in self._workers:
                self._worker(name).remove()

    def _hint(self, deployment: str) -> None:
        if not deployment:
            for each in self._workers.values():
                each.hint()
        worker = self._workers.get(deployment)
        if worker is not None:
            worker.hint()
