"""One simulated device over hours of made-up time: a reconciler, and what it tells."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fleet_agent.reconcile.reconciler import Reconciler
from fleet_agent.reconcile.surroundings import Surroundings
from fleet_agent.runtime.contract import ContainerKey
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_agent.saved_logs import SavedLogs
from fleet_agent.states import StatePublisher
from fleet_core.contracts.base import decode
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import Score, spec_hash
from fleet_core.contracts.states import DeploymentState
from tests.support.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fleet_agent.reconcile.memory import Memory
    from fleet_agent.runtime.behaviour import ImageScript

WEB, MIGRATE, SEED = (f"registry.example/{name}:1" for name in ("web", "migrate", "seed"))


class Sink:
    """Takes what is offered to be written, as the writer does."""

    def __init__(self) -> None:
        self.states: dict[str, list[DeploymentState]] = {}
        self.deleted: list[str] = []

    def offer(
        self,
        _bucket: str,
        key: str,
        value: bytes | None,
        _headers: Mapping[str, str] | None = None,
    ) -> None:
        name = key.rpartition(".")[2]
        if value is None:
            self.deleted.append(name)
        else:
            self.states.setdefault(name, []).append(decode(DeploymentState, value))

    def last(self, name: str = "shop") -> DeploymentState:
        return self.states[name][-1]

    def reasons(self, name: str = "shop") -> list[str]:
        found: list[str] = []
        for state in self.states.get(name, []):
            if not found or found[-1] != state.reason:
                found.append(state.reason)
        return found


class Bench:
    """A reconciler on a simulated device, and short words for what it is told."""

    def __init__(self, script: ImageScript, boot_id: str = "boot-1") -> None:
        self.clock: Any = VirtualClock()
        self.runtime: Any = SimulatedRuntime(script, clock=self.clock)
        self.sink = Sink()
        self.generation = 0
        self.scores: dict[str, Score] = {}
        self.kept: dict[str, Memory | None] = {}
        self.start_agent(boot_id)

    def start_agent(self, boot_id: str, *, recalled: bool = False) -> None:
        """A new agent on the same device: nothing but the containers is left of the old one.

        With ``recalled`` it also has what the old one kept on disk.
        """
        states = StatePublisher("van-1", self.sink, self.clock)  # type: ignore[arg-type]  # a sink
        self.saved_logs = SavedLogs()
        around = Surroundings(
            self.runtime, self.clock, boot_id, states, self.saved_logs, keep=self.kept.__setitem__
        )
        self.reconciler = Reconciler(around)
        for name, memory in self.kept.items() if recalled else ():
            if memory is not None:
                self.reconciler.recall(name, memory)

    def want(self, name: str = "shop", score: Score | None = None) -> None:
        """The manifest names it; the score is at hand."""
        self.scores[name] = score or shop()
        self.tell()
        wanted = self.scores[name]
        self.reconciler.on_score(name, self.entry(wanted), wanted)

    def drop(self, name: str) -> None:
        """The manifest names it no longer."""
        del self.scores[name]
        self.tell()

    def tell(self) -> None:
        self.generation += 1
        entries = {name: self.entry(score) for name, score in self.scores.items()}
        self.reconciler.on_manifest(DeviceManifest(generation=self.generation, deployments=entries))

    def entry(self, score: Score) -> ManifestEntry:
        return ManifestEntry(generation=self.generation, spec_hash=spec_hash(score))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reconciler.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def service(self, name: str = "web", deployment: str = "shop") -> Any:
        return await self.runtime.container_status(ContainerKey(deployment, name))


def shop(*inits: str, image: str = WEB, timeout: int = 300, **changes: Any) -> Score:
    containers = [
        {"name": each.rpartition("/")[2].partition(":")[0], "image": each, "timeout": timeout}
        for each in inits
    ]
    data = {
        "init_containers": containers,
        "services": [{"name": "web", "image": image}],
        **changes,
    }
    return decode(Score, to_json({"type": "PodmanV0", "data": data}))


def to_json(value: Any) -> bytes:
    return json.dumps(value).encode()
