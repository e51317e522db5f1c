"""Device resources on a real API server: what kubectl shows of devices, and who owns what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import DEVICE_INFO, info_key
from fleet_core.contracts.devices import DeviceInfo, Inventory
from fleet_core.messaging import KvBucket
from tests.messaging.conftest import restarted
from tests.support.waiting import eventually, eventually_reads, remains

if TYPE_CHECKING:
    from tests.cluster.conftest import Operators
    from tests.operator.plant import Plant
    from tests.support.kubernetes import KubernetesMachine
    from tests.support.nats_server import NatsServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(120)]


async def say(plant: Plant, device: str, *, version: str = "1.0", **labels: str) -> None:
    """A device tells of itself."""
    info = DeviceInfo(
        device_id=device,
        labels=labels,
        agent_version=version,
        inventory=Inventory(arch="arm64", model="Pi 5", cpus=4),
    )
    await KvBucket(plant.connection, DEVICE_INFO.name).put(info_key(device), encode(info))


async def seen(kubernetes: KubernetesMachine, device: str) -> Any:
    return await asyncio.to_thread(kubernetes.get, "fleetdev", device)


async def labels(kubernetes: KubernetesMachine, device: str) -> dict[str, str]:
    return dict((await seen(kubernetes, device) or {}).get("metadata", {}).get("labels") or {})


async def version(kubernetes: KubernetesMachine, device: str) -> str:
    return str((await seen(kubernetes, device))["spec"]["agentVersion"])


async def metadata(kubernetes: KubernetesMachine, device: str, name: str) -> str:
    return str((await seen(kubernetes, device))["metadata"][name])


async def online(kubernetes: KubernetesMachine, device: str) -> str:
    status = (await seen(kubernetes, device) or {}).get("status") or {}
    return next((each["status"] for each in status.get("conditions", ())), "")


async def test_a_device_is_shown_with_its_facts_and_whether_it_can_be_reached(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await say(plant, "till-1", site="berlin")
    async with operators():
        await eventually_reads(lambda: online(kubernetes, "till-1"), "False")
        await plant.beat("till-1")
        await eventually_reads(lambda: online(kubernetes, "till-1"), "True")
        line = await asyncio.to_thread(kubernetes.kubectl, "get", "fleetdev", "--no-headers")
        assert line.split()[:2] == ["till-1", "True"]
        assert line.split()[3:6] == ["1.0", "arm64", "Pi"]
        await say(plant, "till-1", site="berlin", version="1.1")
        await eventually_reads(lambda: version(kubernetes, "till-1"), "1.1")


async def test_what_an_administrator_sets_stays_theirs(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    async with operators():
        await say(plant, "till-1", site="berlin", ring="1")
        await eventually_reads(
            lambda: labels(kubernetes, "till-1"), {"site": "berlin", "ring": "1"}
        )
        words = ("label", "fleetdev", "till-1", "ring=canary", "owner=ops", "--overwrite")
        await asyncio.to_thread(kubernetes.kubectl, *words)
        # The device says other things, and has one label less: only what is its own follows.
        await say(plant, "till-1", site="hamburg", ring="2")
        expected = {"site": "hamburg", "ring": "canary", "owner": "ops"}
        await eventually_reads(lambda: labels(kubernetes, "till-1"), expected)
        await say(plant, "till-1", ring="3")
        expected = {"ring": "canary", "owner": "ops"}
        await eventually_reads(lambda: labels(kubernetes, "till-1"), expected)


async def test_one_that_is_removed_by_hand_comes_back_and_a_forgotten_one_goes(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    async with operators():
        await say(plant, "till-1", site="berlin")
        await eventually_reads(lambda: labels(kubernetes, "till-1"), {"site": "berlin"})
        uid = (await seen(kubernetes, "till-1"))["metadata"]["uid"]
        await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdev", "till-1")

        async def is_another() -> bool:
            found = await seen(kubernetes, "till-1")
            return found is not None and found["metadata"]["uid"] != uid

        await eventually_reads(is_another, True)
        await KvBucket(plant.connection, DEVICE_INFO.name).delete(info_key("till-1"))
        await eventually_reads(lambda: seen(kubernetes, "till-1"), None)


async def test_one_that_is_removed_while_it_is_written_comes_back(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    async with operators():
        for patch in range(6):
            await say(plant, "till-1", site="berlin", version=f"1.{patch}")
            await asyncio.sleep(0.15)  # About when it is written.
            words = ("delete", "fleetdev", "till-1", "--ignore-not-found")
            await asyncio.to_thread(kubernetes.kubectl, *words)
            await eventually_reads(lambda: labels(kubernetes, "till-1"), {"site": "berlin"})


async def test_a_spec_that_somebody_else_took_over_is_left_to_them(
    kubernetes: KubernetesMachine,
    plant: Plant,
    operators: Operators,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with operators():
        await say(plant, "till-1", site="berlin")
        await eventually_reads(lambda: labels(kubernetes, "till-1"), {"site": "berlin"})
        patch = '{"spec":{"agentVersion":"theirs"}}'
        words = ("patch", "fleetdev", "till-1", "--type=merge", "-p", patch)
        await asyncio.to_thread(kubernetes.kubectl, *words)
        await eventually(lambda: "left as somebody else has set it" in caplog.text)
        await remains(lambda: version(kubernetes, "till-1"), "theirs", for_s=1)
        assert caplog.text.count("left as somebody else") == 1


async def test_a_nats_that_lost_its_store_removes_no_device(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators, nats_server: NatsServer
) -> None:
    async with operators() as operator:
        await say(plant, "till-1", site="berlin")
        await eventually_reads(lambda: labels(kubernetes, "till-1"), {"site": "berlin"})
        uid = (await seen(kubernetes, "till-1"))["metadata"]["uid"]
        await restarted(nats_server, plant.connection, wipe=True)
        await plant.prepare()
        await eventually(lambda: operator.writes, timeout_s=15)
        await remains(lambda: metadata(kubernetes, "till-1", "uid"), uid)


async def test_a_heartbeat_is_shown_now_and_then_and_not_each_time(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    async with operators():
        await say(plant, "till-1", site="berlin")
        await plant.beat("till-1")
        await eventually_reads(lambda: online(kubernetes, "till-1"), "True")
        stored = await metadata(kubernetes, "till-1", "resourceVersion")

        async def after_another_beat() -> str:
            await plant.beat("till-1")
            return await metadata(kubernetes, "till-1", "resourceVersion")

        await remains(after_another_beat, stored)
