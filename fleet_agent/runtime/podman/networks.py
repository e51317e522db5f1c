"""The networks of deployments: one for each, made when its first container is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import ContainerStartError
from fleet_agent.runtime.podman.api import ApiError
from fleet_agent.runtime.podman.creating import network_name
from fleet_agent.runtime.podman.seeing import LABEL_DEPLOYMENT

if TYPE_CHECKING:
    from fleet_agent.runtime.podman.api import PodmanApi

_CONFLICT: Final = 409


class PodmanNetworks:
    """Makes and removes them; those that were made are not asked for again."""

    def __init__(self, api: PodmanApi) -> None:
        self._api = api
        self._made: set[str] = set()

    async def ensure(self, deployment: str) -> None:
        """Have the deployment's network.

        Raises:
            ContainerStartError: podman does not make it.
        """
        if deployment in self._made:
            return
        body = {
            "name": network_name(deployment),
            "driver": "bridge",
            "dns_enabled": True,
            "labels": {LABEL_DEPLOYMENT: deployment},
        }
        try:
            await self._api.post("/networks/create", body)
        except ApiError as error:
            if error.status != _CONFLICT and "already" not in error.message:
                raise ContainerStartError(f"its network: {error.message}") from error
        self._made.add(deployment)

    def doubt(self, deployment: str) -> None:
        """Make it anew for the next container: somebody may have removed it."""
        self._made.discard(deployment)

    async def remove(self, deployment: str) -> None:
        """Remove it, unless a container of somebody else uses it."""
        self.doubt(deployment)
        with contextlib.suppress(ApiError):
            await self._api.delete(f"/networks/{network_name(deployment)}")
