"""Operators on a real API server and a real NATS, started and killed by tests."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.cluster.client import ClusterClient
from fleet_core.cluster.settings import ClusterSettings
from fleet_core.messaging import ConnectionSettings, connect
from fleet_core.operator.controller import Operator
from fleet_core.operator.kubernetes.leadership import Leadership
from fleet_core.operator.kubernetes.store import KubernetesResourceStore
from fleet_core.operator.refusals import Refusals
from tests.messaging.conftest import settings_of
from tests.operator.plant import Plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from fleet_core.contracts.resources import Deployment
    from tests.support.kubernetes import KubernetesMachine
    from tests.support.nats_server import NatsServer

    Operators = Callable[..., AbstractAsyncContextManager[Operator]]


@pytest.fixture
async def plant(nats_server: NatsServer) -> AsyncIterator[Plant]:
    """Buckets with devices, and no operator yet."""
    async with await connect(settings_of(nats_server)) as connection:
        plant = Plant(connection)
        await plant.prepare()
        yield plant


@pytest.fixture
def operators(kubernetes: KubernetesMachine, nats_server: NatsServer) -> Operators:
    """Start operators; one that is killed gives nothing back."""

    @asynccontextmanager
    async def running(name: str = "one", *, killed: bool = False) -> AsyncIterator[Operator]:
        refusals = Refusals()
        settings = ConnectionSettings((nats_server.url,), ping_interval_s=0.5)
        cluster = ClusterSettings(kubernetes.kubeconfig)
        async with (
            await connect(settings) as connection,
            await ClusterClient.open(cluster) as client,
        ):
            leadership = Leadership(client, "default", name)
            if killed:
                leadership._give_back = _nothing  # type: ignore[method-assign]  # a killed one gives nothing back
            store = KubernetesResourceStore(client, leadership, connection, refusals)
            operator = Operator(connection, store, refusals=refusals)
            task = asyncio.create_task(operator.run())
            try:
                yield operator
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    return running


async def _nothing() -> None:
    """Whoever is killed does nothing any more."""


def manifest(resource: Deployment) -> dict[str, Any]:
    """A Deployment as a person applies it."""
    value: dict[str, Any] = json.loads(resource.model_dump_json(by_alias=True, exclude_none=True))
    for name in ("generation", "creationTimestamp"):
        value["metadata"].pop(name, None)
    return value
