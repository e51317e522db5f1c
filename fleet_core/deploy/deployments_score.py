"""`FleetDeploymentsScore`: Deployments, applied as a person applies them."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, ClassVar, Final, Self

from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    resource_key,
)
from fleet_core.contracts.resources import Deployment, DeploymentStatus
from fleet_core.deploy.nats_score import nats_url, settings_for
from fleet_core.deploy.operator_score import OPERATOR
from fleet_core.deploy.score import Score, until_ready
from fleet_core.errors import BrokenError
from fleet_core.messaging import KvBucket, connect
from fleet_core.operations.apply import Apply
from fleet_core.operations.contexts import Context
from fleet_core.operations.live import LiveFleet
from fleet_core.operations.manifests import read_manifests
from fleet_core.operations.plans import Request

if TYPE_CHECKING:
    from fleet_core.deploy.topology import Topology

READY_DEADLINE_S: Final = 20.0
SYNC_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A YAML file with Deployments."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FleetDeploymentsScore(Score[tuple[str, ...]]):
    """Deployments in the NATS server of the same topology; its outcome is their keys."""

    component: ClassVar[str] = "deployments"

    manifests: tuple[Manifest, ...]

    @classmethod
    def demo(cls) -> Self:
        """Return the Deployments of the demo's fleet."""
        folder = resources.files(__package__) / "demo"
        files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
        manifests = [Manifest(file.name, file.read_bytes()) for file in files]
        return cls(tuple(sorted(manifests, key=lambda manifest: manifest.name)))

    async def deploy(self, topology: Topology) -> tuple[str, ...]:
        """Apply what is new or changed; return the keys of all of them."""
        context = Context.of_url(await nats_url(topology))
        async with await LiveFleet.open(context, program="fleet-deploy") as fleet:
            await fleet.synced(SYNC_TIMEOUT_S)
            for manifest in self.manifests:
                await _apply(fleet, manifest)
        return tuple(
            resource_key(*found.deployment.key)
            for manifest in self.manifests
            for found in read_manifests(manifest.content, manifest.name)
        )

    async def smoke_test(self, topology: Topology, outcome: tuple[str, ...]) -> None:
        """Find that the operator has acted on each of them as it stands now."""
        settings = settings_for(await nats_url(topology), "fleet-deploy")
        async with await connect(settings) as connection:
            stored = KvBucket(connection, DEPLOYMENTS.name)
            statuses = KvBucket(connection, DEPLOYMENT_STATUS.name)

            async def all_observed() -> bool:
                return all([await _is_observed(stored, statuses, key) for key in outcome])

            await until_ready(topology, OPERATOR, all_observed, deadline_s=READY_DEADLINE_S)


async def _apply(fleet: LiveFleet, manifest: Manifest) -> None:
    operation = Apply()
    plan = await operation.plan(fleet, Request(manifest=manifest.content, source=manifest.name))
    if plan.changes:
        async with aclosing(operation.run(fleet, plan)) as results:
            async for result in results:
                if not result.ok:
                    raise BrokenError(f"{manifest.name} was not applied: {result.message}")


async def _is_observed(stored: KvBucket, statuses: KvBucket, key: str) -> bool:
    resource, status = await stored.get(key), await statuses.get(key)
    if resource is None or status is None:
        return False
    wanted = decode(Deployment, resource.value).metadata.generation
    return decode(DeploymentStatus, status.value).observed_generation >= wanted
