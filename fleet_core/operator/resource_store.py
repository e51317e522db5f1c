"""The seam to where Deployment resources are kept: a KV bucket, later a Kubernetes API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment, DeploymentStatus

ResourceKey = tuple[str, str]
"""Namespace and name."""


class ResourceHandler(Protocol):
    """Takes what a store tells of its resources, in order; it must not raise."""

    def on_resource(self, resource: Deployment) -> None:
        """A Deployment stands like this now. What cannot be read is never told."""

    def on_deleted(self, key: ResourceKey) -> None:
        """Somebody deleted a Deployment, now or before we looked.

        A resource that is missing without having been deleted (a lost store) is never told.
        """

    def on_resources_synced(self) -> None:
        """Everything the store holds has been told; again after each outage."""

    def on_resources_stale(self, reason: str) -> None:
        """Changes may be missing from now on, until synced again."""


class ResourceStore(Protocol):
    """Where Deployments are read from, and their status is written to."""

    async def run(self, handler: ResourceHandler) -> None:
        """Tell of all resources, and of their changes, until cancelled."""

    async def write_status(self, key: ResourceKey, status: DeploymentStatus) -> None:
        """Store a status, if it says anything new.

        Raises:
            RetryLaterError: the store did not take it now.
        """

    async def forget_status(self, key: ResourceKey) -> None:
        """Remove the status of a Deployment that is gone.

        Raises:
            RetryLaterError: the store did not take it now.
        """
