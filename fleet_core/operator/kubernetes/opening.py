"""The store of a cluster, as the operator's program opens it."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet_core.cluster.client import ClusterClient
from fleet_core.cluster.settings import ClusterSettings
from fleet_core.operator.kubernetes.leadership import Leadership
from fleet_core.operator.kubernetes.store import KubernetesResourceStore

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from fleet_core.messaging import Connection
    from fleet_core.operator.refusals import Refusals


def own_name() -> str:
    """Return a name that no other operator has: it says where to look for its holder."""
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Which cluster holds the Deployments, and where its Lease is."""

    settings: ClusterSettings = field(default_factory=ClusterSettings)
    namespace: str = "default"
    """Of the Lease that says which of several operators writes."""


async def open_store(
    options: ClusterOptions, connection: Connection, refusals: Refusals, stack: AsyncExitStack
) -> KubernetesResourceStore:
    """Open the store; the stack closes what it stands on.

    Raises:
        InvalidInputError: there is no way to the cluster.
    """
    client = await stack.enter_async_context(await ClusterClient.open(options.settings))
    leadership = Leadership(client, options.namespace, own_name())
    return KubernetesResourceStore(client, leadership, connection, refusals)
