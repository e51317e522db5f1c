"""A whole fleet as real processes, with what end-to-end tests ask and do."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import DEPLOYMENT_STATUS, DEVICE_STATE, resource_key, state_key
from fleet_core.contracts.resources import DeploymentStatus
from fleet_core.contracts.states import DeploymentState
from fleet_core.deploy.agent_score import FleetAgentScore
from fleet_core.deploy.local import LocalTopology
from fleet_core.deploy.nats_score import FleetNatsScore
from fleet_core.deploy.operator_score import FleetOperatorScore
from fleet_core.deploy.score import interpret
from fleet_core.messaging import KvBucket
from fleet_core.operations.contexts import Context
from fleet_core.operations.live import LiveFleet
from fleet_core.operations.plans import Request
from fleet_core.operations.registry import operation
from tests.support import waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleet_core.operations.plans import TargetResult
    from fleet_core.view import FailureGroup, FleetView


@dataclass(frozen=True, slots=True)
class Finished:
    """A command line that has ended."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class Stack:
    """NATS, the operator and devices, and a live fleet that watches them."""

    topology: LocalTopology
    url: str
    fleet: LiveFleet

    @property
    def view(self) -> FleetView:
        """The read model, at the present time."""
        self.fleet.view.tick(time.time())
        return self.fleet.view

    def devices(self, **labels: str) -> set[str]:
        """The devices with these labels."""
        columns = self.view.devices
        return {
            device
            for device, slot in columns.slot_of.items()
            if columns.has_info[slot] and labels.items() <= columns.labels[slot].items()
        }

    def running(self, deployment: str) -> set[str]:
        """The devices that say that they run it, as it stands now."""
        columns = self.view.devices
        row = self.view.deployments.get(("default", deployment))
        return {
            device
            for device, slot in columns.slot_of.items()
            if (state := columns.states[slot].get(deployment)) is not None
            and state.phase == "Running"
            and (row is None or state.spec_hash == row.spec_hash)
        }

    def telling(self, deployment: str) -> set[str]:
        """The devices that say anything of it."""
        columns = self.view.devices
        return {
            device for device, slot in columns.slot_of.items() if deployment in columns.states[slot]
        }

    def failure(self, deployment: str) -> FailureGroup | None:
        """How it fails on most devices."""
        groups = [group for group in self.view.failures() if group.deployment == deployment]
        return groups[0] if groups else None

    def counts(self, deployment: str) -> dict[str, int]:
        """The counts of its status, as the operator wrote them."""
        status = self.view.statuses.get(("default", deployment))
        if status is None:
            return {}
        found = status.aggregate.model_dump(exclude={"last_error"})
        return {name: count for name, count in found.items() if count}

    def observed(self, deployment: str) -> int:
        """The generation that its status speaks of."""
        status = self.view.statuses.get(("default", deployment))
        return 0 if status is None else status.observed_generation

    async def apply(self, manifest: str) -> None:
        """Apply Deployments as a person does."""
        request = Request(manifest=manifest.encode(), source="test.yaml")
        await self._operate("apply", request)

    async def delete(self, deployment: str) -> None:
        """Delete a Deployment as a person does."""
        await self._operate("delete", Request(deployment=deployment))

    async def redeploy(self, deployment: str) -> list[TargetResult]:
        """Redeploy it wherever it runs."""
        return await self._operate("redeploy", Request(deployment=deployment))

    async def _operate(self, name: str, request: Request) -> list[TargetResult]:
        asked = operation(name)
        plan = await asked.plan(self.fleet, request)
        async with aclosing(asked.run(self.fleet, plan)) as running:
            results = [result async for result in running]
        assert all(result.ok for result in results), results
        return results

    async def state(self, device: str, deployment: str) -> DeploymentState | None:
        """What a device last said of a deployment."""
        bucket = KvBucket(self.fleet.connection, DEVICE_STATE.name)
        entry = await bucket.get(state_key(device, deployment))
        return None if entry is None else decode(DeploymentState, entry.value)

    async def started_at(self, devices: set[str], deployment: str) -> dict[str, Any]:
        """When the first service of each device's deployment was started."""
        found = {}
        for device in devices:
            state = await self.state(device, deployment)
            if state is not None and state.container_statuses:
                running = state.container_statuses[0].state.running
                found[device] = running.started_at if running is not None else None
        return found

    async def status(self, deployment: str) -> DeploymentStatus | None:
        """The Deployment's status as it is stored."""
        bucket = KvBucket(self.fleet.connection, DEPLOYMENT_STATUS.name)
        entry = await bucket.get(resource_key("default", deployment))
        return None if entry is None else decode(DeploymentStatus, entry.value)

    async def cli(self, *words: str, stdin: str = "", nats: bool = True) -> Finished:
        """Run ``fleet`` as a person does, in a process of its own."""
        environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
        if nats:
            environment["FLEET_NATS_URL"] = self.url
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fleet_core.cli", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        stdout, stderr = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Finished(process.returncode, stdout.decode(), stderr.decode())


@asynccontextmanager
async def running_stack(profile: Path | None, devices: int = 0) -> AsyncIterator[Stack]:
    """Compose the fleet from the Scores that production and the demo use.

    Without a profile there are no devices: the test brings its own.
    """
    async with LocalTopology() as topology:
        url = await interpret(FleetNatsScore(), topology)
        async with asyncio.TaskGroup() as group:
            group.create_task(interpret(FleetOperatorScore(), topology))
            if profile is not None:
                agents = FleetAgentScore(devices, str(profile), seed=1, answering_share=1.0)
                group.create_task(interpret(agents, topology))
        async with await LiveFleet.open(Context.of_url(url), program="test") as fleet:
            await fleet.synced(10)
            yield Stack(topology, url, fleet)


eventually = partial(waiting.eventually, timeout_s=20)
"""A whole fleet on a busy machine takes its time."""


def manifest(
    name: str,
    *,
    selector: str = "{}",
    init: str = "",
    image: str = "registry.example/shop/web:1.4",
    version: str = "1",
) -> str:
    """Return the YAML of a Deployment of one service, with an init container where one is given."""
    lines = [
        "apiVersion: fleet.nationtech.io/v1alpha1",
        "kind: Deployment",
        f"metadata: {{name: {name}}}",
        "spec:",
        f"  targetSelector: {selector}",
        "  score:",
        "    type: PodmanV0",
        "    data:",
        f"      init_containers: [{init}]",
        f'      services: [{{name: web, image: "{image}", env: {{VERSION: "{version}"}}}}]',
    ]
    return "\n".join(lines)
