"""An operator's answers over HTTP, from a real one on a real NATS."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleet_core.deploy.ports import free_port
from fleet_core.errors import CannotConnectError
from fleet_core.operator.controller import Operator
from fleet_core.operator.kv_resources import KvResourceStore
from fleet_core.operator.probes import probes
from fleet_core.operator.refusals import Refusals
from fleet_core.operator.wants import Want
from tests.operator.fleets import deployment, state
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from tests.operator.plant import Plant


async def answer(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url(port, path)) as response:
        return response.status, (await response.text()).strip()


def url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


async def test_it_is_ready_once_it_has_read_all_and_tells_its_counts(plant: Plant) -> None:
    refusals, port = Refusals(), free_port()
    operator = Operator(
        plant.connection, KvResourceStore(plant.connection, refusals), refusals=refusals
    )
    async with probes(operator, "127.0.0.1", port):
        status, words = await answer(port, "/readyz")
        assert status == 503
        assert words.startswith("Recovering: waiting for deployments, desired-state")
        assert await answer(port, "/healthz") == (200, "ok")

        resource = deployment()
        await plant.device("a", site="berlin")
        await plant.apply(resource)
        await plant.tell(state("a", "web", Want.of(resource).entry.spec_hash, at_s=time.time()))
        task = asyncio.create_task(operator.run())
        try:
            await eventually_reads(lambda: answer(port, "/readyz"), (200, "Converged"))
            await eventually_reads(lambda: metric(port, "fleet_deployment_devices"), 1.0)
            assert await metric(port, "fleet_operator_entries_written_total") == 1
            assert await metric(port, "fleet_operator_writes") == 1
            assert await metric(port, "process_resident_memory_bytes") > 1e6
            assert (await answer(port, "/elsewhere"))[0] == 404
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def metric(port: int, name: str) -> float:
    """The first sample of a metric."""
    _, text = await answer(port, "/metrics")
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return samples[0].value


async def test_an_operator_whose_beat_stopped_is_not_healthy(plant: Plant) -> None:
    refusals, port = Refusals(), free_port()
    operator = Operator(
        plant.connection, KvResourceStore(plant.connection, refusals), refusals=refusals
    )
    operator._beat_s -= 11
    async with probes(operator, "127.0.0.1", port):
        assert await answer(port, "/healthz") == (503, "stuck for 11 s")


async def test_an_address_that_is_taken_is_told_in_a_sentence(plant: Plant) -> None:
    refusals, port = Refusals(), free_port()
    operator = Operator(
        plant.connection, KvResourceStore(plant.connection, refusals), refusals=refusals
    )
    async with probes(operator, "127.0.0.1", port):
        with pytest.raises(CannotConnectError, match=r"cannot listen on 127\.0\.0\.1"):
            async with probes(operator, "127.0.0.1", port):
                pass
