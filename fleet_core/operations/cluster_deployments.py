"""Deployments in the Kubernetes cluster that the context names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet_core.cluster import paths
from fleet_core.cluster.client import ClusterClient
from fleet_core.cluster.known import version_of
from fleet_core.cluster.objects import read_deployment
from fleet_core.contracts.resources import API_GROUP
from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_core.operations.deployment_stores import Stored

if TYPE_CHECKING:
    from fleet_core.cluster.settings import ClusterSettings
    from fleet_core.contracts.resources import Deployment


class ClusterDeploymentStore:
    """A `DeploymentStore` over a cluster, which is reached for when it is first needed."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._opened: ClusterClient | None = None

    async def _client(self) -> ClusterClient:
        if self._opened is None:
            try:
                self._opened = await ClusterClient.open(self._settings)
            except ImportError as error:
                raise InvalidInputError(
                    f"this installation knows no Kubernetes: {error}",
                    remedy="pip install 'fleet-tui[operator]'",
                ) from error
        return self._opened

    async def check(self) -> None:
        """Whatever the cluster allows is allowed."""

    async def read(self, namespace: str, name: str) -> Stored | None:
        """Return what is stored; None if nothing is, or it is being deleted."""
        item = await (await self._client()).get(paths.deployment(namespace, name))
        if item is None or "deletionTimestamp" in item["metadata"]:
            return None
        try:
            return Stored(version_of(item), read_deployment(item), item)
        except InvalidInputError:
            return Stored(version_of(item), None, item)

    async def create(self, deployment: Deployment) -> None:
        """Create it."""
        path = paths.deployments(deployment.metadata.namespace)
        await (await self._client()).create(path, _object(deployment))

    async def update(self, deployment: Deployment, before: Stored) -> None:
        """Replace its spec, its labels, and those of its annotations that are ours."""
        new, raw = _object(deployment), before.raw
        old = raw["metadata"].get("annotations") or {}
        foreign = {name: text for name, text in old.items() if not _is_ours(name)}
        metadata = {
            **raw["metadata"],
            "labels": new["metadata"]["labels"],
            "annotations": {**foreign, **new["metadata"]["annotations"]},
        }
        body = {**raw, "metadata": metadata, "spec": new["spec"]}
        await (await self._client()).replace(paths.deployment(*deployment.key), body)

    async def delete(self, namespace: str, name: str, before: Stored | None) -> None:
        """Delete it; the cluster waits for the operator's finalizer."""
        path = paths.deployment(namespace, name)
        try:
            await (await self._client()).delete(path, version=before.revision if before else None)
        except NotFoundError:
            return

    async def close(self) -> None:
        """Let go of the connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None


def _object(deployment: Deployment) -> dict[str, Any]:
    """Return it as the cluster stores it: without what the cluster itself sets."""
    value = deployment.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in ("generation", "creationTimestamp"):
        value["metadata"].pop(name, None)
    return value


def _is_ours(annotation: str) -> bool:
    return annotation.startswith(f"{API_GROUP}/")
