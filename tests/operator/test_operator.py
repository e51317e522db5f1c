"""The operator against a real server: what it writes, in which order, and what it never does."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.buckets import (
    DEPLOYMENT_REVISIONS,
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DESIRED_STATE,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
)
from fleet_core.contracts.states import Phase
from fleet_core.messaging import ConnectionSettings, Message, connect
from fleet_core.operator.controller import Operator
from fleet_core.operator.kv_resources import KvResourceStore
from fleet_core.operator.refusals import Refusals
from fleet_core.operator.service import READY_SUBJECT, serve
from fleet_core.operator.wants import Want
from tests.messaging.conftest import restarted
from tests.operator.fleets import deployment, state
from tests.operator.plant import Bucket
from tests.support.waiting import eventually, eventually_reads

if TYPE_CHECKING:
    from fleet_core.contracts.devices import ManifestEntry
    from tests.operator.plant import Plant
    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(20)


def entry_of(resource: object) -> ManifestEntry:
    return Want.of(resource).entry  # type: ignore[arg-type]  # a Deployment


async def test_matching_devices_get_the_score_and_a_manifest_others_get_nothing(
    plant: Plant, operator: Operator
) -> None:
    await plant.device("a", site="berlin")
    await plant.device("b", site="paris")
    resource = deployment(labels={"site": "berlin"})
    await plant.apply(resource)
    await eventually_reads(lambda: plant.named("a"), ["web"])
    manifest = await plant.manifest("a")
    assert manifest is not None
    assert manifest.deployments["web"] == entry_of(resource)
    assert await plant.entry("a", "web") == Want.of(resource).score
    assert await plant.manifest("b") is None
    assert operator.report()["entries_written"] == 1


@pytest.mark.usefixtures("operator")
async def test_entries_are_there_before_the_manifest_and_go_after_it(plant: Plant) -> None:
    written: list[str] = []

    def note(message: Message) -> None:
        gone = "KV-Operation" in (message.headers or {})
        written.append(f"{'-' if gone else ''}{message.subject.partition('.')[2]}")

    for bucket in (DESIRED_STATE.name, DEVICE_MANIFEST.name):
        await plant.connection.subscribe(f"$KV.{bucket}.>", note)
    await plant.device("a", site="berlin")
    await plant.apply(deployment())
    put = ["desired-state.a.web", "device-manifest.a"]
    await eventually(lambda: written == put)
    await plant.delete("web")
    await eventually(lambda: written == [*put, "device-manifest.a", "-desired-state.a.web"])


async def test_only_what_changed_is_written(plant: Plant, operator: Operator) -> None:
    for device in ("a", "b"):
        await plant.device(device, site="berlin")
    await plant.apply(deployment("web"))
    await plant.apply(deployment("db"))
    await eventually_reads(lambda: plant.named("b"), ["db", "web"])
    await operator.converged.wait()
    before = await plant.everything()
    written = operator.report()["entries_written"]
    await plant.apply(deployment("db", image="registry.example/db:2", generation=2))
    await eventually(lambda: operator.report()["entries_written"] == written + 2)
    after = await plant.everything()
    assert {key for key in after if after[key] == before[key]} == {
        "desired-state/a.web",
        "desired-state/b.web",
    }


async def test_labels_that_change_move_a_device(plant: Plant, operator: Operator) -> None:
    await plant.apply(deployment("web", labels={"site": "berlin"}))
    await plant.apply(deployment("db", labels={"site": "paris"}))
    await plant.device("a", site="berlin")
    await eventually_reads(lambda: plant.named("a"), ["web"])
    await plant.device("a", site="paris")
    await eventually_reads(lambda: plant.named("a"), ["db"])
    await eventually_reads(lambda: plant.entry("a", "web"), None)
    assert operator.report()["entries_removed"] == 1


async def test_the_status_follows_the_devices(plant: Plant, operator: Operator) -> None:
    resource = deployment()
    spec_hash = entry_of(resource).spec_hash
    for device in ("a", "b", "c"):
        await plant.device(device)
    await plant.apply(resource)
    await eventually_reads(lambda: plant.counts("web"), {"matched_device_count": 3, "pending": 3})
    await plant.tell(state("a", "web", spec_hash, at_s=time.time()))
    failed = state("b", "web", spec_hash, phase=Phase.FAILED, at_s=time.time(), error="exit 3")
    await plant.tell(failed)
    expected = {"matched_device_count": 3, "pending": 1, "succeeded": 1, "failed": 1}
    await eventually_reads(lambda: plant.counts("web"), expected)
    status = await plant.status("web")
    assert status is not None
    assert status.observed_generation == 1
    assert status.aggregate.last_error is not None
    assert status.aggregate.last_error.message == "exit 3"
    await plant.delete("web")
    await eventually_reads(lambda: plant.named("a"), [])
    assert await plant.status("web") is not None, "devices still tell of it"
    for device in ("a", "b"):
        await plant.withdraw(device, "web")
    await eventually_reads(lambda: plant.status("web"), None)
    assert await plant.all_of(DEPLOYMENT_REVISIONS.name) == {}
    assert operator.report()["deployments"] == 0


async def test_a_status_is_written_at_most_once_a_second(plant: Plant, operator: Operator) -> None:
    shown = Bucket()
    following = asyncio.create_task(plant.feed(DEPLOYMENT_STATUS.name, shown).run())
    await eventually(lambda: shown.synced)
    resource = deployment()
    spec_hash = entry_of(resource).spec_hash
    await plant.device("a")
    await plant.apply(resource)
    await operator.converged.wait()
    started = time.monotonic()
    for turn in range(200):
        failed: Any = {"phase": Phase.FAILED, "error": f"exit {turn}"}  # each another status
        await plant.tell(state("a", "web", spec_hash, at_s=time.time(), **failed))
        await asyncio.sleep(0.01)  # so that the states are spread over more than a second
    await plant.tell(state("a", "web", spec_hash, at_s=time.time()))
    await eventually_reads(lambda: plant.counts("web"), {"matched_device_count": 1, "succeeded": 1})
    writes = shown.order.count("default.web")
    assert 2 <= writes <= time.monotonic() - started + 2
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_malformed_payloads_are_counted_and_what_ran_before_keeps_running(
    plant: Plant, operator: Operator
) -> None:
    await plant.device("a", site="berlin")
    await plant.apply(deployment(labels={"site": "berlin"}))
    await eventually_reads(lambda: plant.named("a"), ["web"])
    before = await plant.everything()
    for bucket, key, payload in (
        (DEPLOYMENTS.name, "default.web", b'{"metadata": {"name": "web"}, "spec": 7}'),
        (DEPLOYMENTS.name, "default.other", b"\xff\x00"),
        (DEVICE_INFO.name, "info.a", b'{"device_id": "b", "agent_version": "1", "labels": {}}'),
        (DEVICE_STATE.name, "state.a.web", b"[" * 10_000),
    ):
        await plant.bucket(bucket).put(key, payload)
    expected = {DEPLOYMENTS.name: 2, DEVICE_INFO.name: 1, DEVICE_STATE.name: 1}
    await eventually(lambda: operator.report()["payloads_refused"] == expected)
    await plant.device("c", site="berlin")
    await eventually_reads(lambda: plant.named("c"), ["web"])
    after = await plant.everything()
    assert {key: after[key] for key in before} == before


async def test_a_foreign_change_of_desired_state_is_put_right(
    plant: Plant, operator: Operator
) -> None:
    await plant.device("a")
    resource = deployment()
    await plant.apply(resource)
    await eventually_reads(lambda: plant.named("a"), ["web"])
    await plant.bucket(DESIRED_STATE.name).put("a.web", b'{"rubbish": 1}')
    await eventually_reads(lambda: plant.entry("a", "web"), Want.of(resource).score)
    await plant.bucket(DEVICE_MANIFEST.name).put("a", b"not json")
    await eventually_reads(lambda: plant.named("a"), ["web"])
    await plant.bucket(DEVICE_MANIFEST.name).delete("a")
    await eventually_reads(lambda: plant.named("a"), ["web"])
    assert operator.report()["payloads_refused"] == {DEVICE_MANIFEST.name: 1}


async def test_a_cold_start_writes_nothing_that_is_right_already(
    plant: Plant, nats_server: NatsServer
) -> None:
    await plant.device("a", site="berlin")
    await plant.device("b", site="paris")
    await plant.apply(deployment("web"))
    first = await run_until_converged(nats_server)
    assert first["manifests_written"] == 2
    before = await plant.everything()
    second = await run_until_converged(nats_server)
    assert (second["manifests_written"], second["entries_written"]) == (0, 0)
    assert await plant.everything() == before


async def test_what_changed_while_no_operator_ran_is_done_at_the_next_start(
    plant: Plant, nats_server: NatsServer
) -> None:
    await plant.device("a")
    await plant.apply(deployment("web"))
    await plant.apply(deployment("old"))
    await run_until_converged(nats_server)
    await plant.delete("old")
    await plant.apply(deployment("new"))
    await run_until_converged(nats_server)
    assert await plant.named("a") == ["new", "web"]
    assert sorted(await plant.all_of(DESIRED_STATE.name)) == ["a.new", "a.web"]


async def run_until_converged(server: NatsServer, also_s: float = 0) -> dict[str, object]:
    """Run an operator of its own connection until it has converged, and then as long again as told.

    Returns its report.
    """
    async with await connect(ConnectionSettings((server.url,))) as connection:
        refusals = Refusals()
        operator = Operator(connection, KvResourceStore(connection, refusals), refusals=refusals)
        running = asyncio.create_task(operator.run())
        async with asyncio.timeout(10):
            await operator.converged.wait()
        await asyncio.sleep(also_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return operator.report()


async def test_two_operators_agree(plant: Plant, nats_server: NatsServer) -> None:
    serving = [asyncio.create_task(serve(ConnectionSettings((nats_server.url,)))) for _ in range(2)]
    for number in range(40):
        await plant.device(f"d{number:02}", ring=str(number % 4))
        if number % 10 == 0:
            await plant.apply(deployment(f"web{number}", labels={"ring": str(number // 10)}))
    for generation in range(2, 6):
        for number in (0, 10, 20, 30):
            resource = deployment(
                f"web{number}",
                labels={"ring": str(number // 10)},
                image=f"registry.example/web:{generation}",
                generation=generation,
            )
            await plant.apply(resource)
    last = deployment(image="registry.example/web:5", generation=5)

    async def stored() -> set[bytes]:
        return set((await plant.all_of(DESIRED_STATE.name)).values())

    await eventually_reads(stored, {Want.of(last).score}, timeout_s=10)
    manifests = await plant.all_of(DEVICE_MANIFEST.name)
    assert len(manifests) == 40
    for number in range(40):
        manifest = await plant.manifest(f"d{number:02}")
        assert manifest is not None
        assert manifest.deployments == {f"web{number % 4 * 10}": entry_of(last)}
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


async def test_an_emptied_store_is_no_order_to_stop_and_is_filled_again(
    plant: Plant, operator: Operator, nats_server: NatsServer
) -> None:
    await plant.device("a")
    await plant.apply(deployment())
    await eventually_reads(lambda: plant.named("a"), ["web"])
    before = await plant.manifest("a")
    await restarted(nats_server, plant.connection, wipe=True)
    await plant.prepare()
    await eventually(lambda: operator.is_synced)
    await plant.device("a")
    await eventually_reads(lambda: plant.named("a"), ["web"], timeout_s=10)
    after = await plant.manifest("a")
    assert before is not None
    assert after is not None
    assert after.deployments == before.deployments
    assert after.generation >= before.generation
    assert operator.report()["entries_removed"] == 0


async def test_the_service_waits_for_nats_makes_the_buckets_and_tells_when_it_is_ready(
    nats_server: NatsServer,
) -> None:
    nats_server.stop()
    serving = asyncio.create_task(serve(ConnectionSettings((nats_server.url,))))
    await asyncio.sleep(0)
    nats_server.start()
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:

        async def is_ready() -> bool:
            try:
                reply = await connection.requests.request(READY_SUBJECT, b"", 1.0)
            except Exception:  # noqa: BLE001 - whatever it is, it is not ready
                return False
            return b'"converged":true' in reply.data

        await eventually_reads(is_ready, expected=True, timeout_s=15)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
