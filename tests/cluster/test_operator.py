"""The operator on a real API server: what kubectl applies is run, told, and taken away again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.states import Phase
from fleet_core.operator.wants import Want
from tests.cluster.conftest import manifest
from tests.messaging.conftest import restarted
from tests.operator.fleets import deployment, state
from tests.support.waiting import eventually, eventually_reads, remains

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment
    from tests.cluster.conftest import Operators
    from tests.operator.plant import Plant
    from tests.support.kubernetes import KubernetesMachine
    from tests.support.nats_server import NatsServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(120)]

DEVICES = ("a", "b", "c")


async def applied(kubernetes: KubernetesMachine, *resources: Deployment) -> None:
    await asyncio.to_thread(kubernetes.apply, *map(manifest, resources))


async def seen(kubernetes: KubernetesMachine, name: str = "web") -> Any:
    return await asyncio.to_thread(kubernetes.get, "fleetdep", name)


async def counts(kubernetes: KubernetesMachine, name: str = "web") -> dict[str, int]:
    """The counts in a resource's status that are not zero."""
    found = await seen(kubernetes, name)
    aggregate = (found or {}).get("status", {}).get("aggregate", {})
    return {what: count for what, count in aggregate.items() if isinstance(count, int) and count}


async def devices(plant: Plant) -> None:
    for device in DEVICES:
        await plant.device(device, site="berlin")


async def reasons(kubernetes: KubernetesMachine, name: str) -> set[str]:
    """The reasons of the Events about a Deployment."""
    selector = f"--field-selector=involvedObject.name={name}"
    text = await asyncio.to_thread(
        kubernetes.kubectl, "get", "events", selector, "-o", "jsonpath={.items[*].reason}"
    )
    return set(text.split())


async def device_labels(kubernetes: KubernetesMachine, name: str) -> dict[str, str]:
    found = await asyncio.to_thread(kubernetes.get, "fleetdev", name)
    return dict((found or {}).get("metadata", {}).get("labels") or {})


async def running(plant: Plant, resource: Deployment) -> None:
    """All devices tell that they run it."""
    spec_hash = Want.of(resource).entry.spec_hash
    for device in DEVICES:
        await plant.tell(state(device, resource.metadata.name, spec_hash, at_s=time.time()))


async def test_applied_run_counted_deleted_and_let_go(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    resource = deployment()
    async with operators():
        await devices(plant)
        await applied(kubernetes, resource)
        await eventually_reads(lambda: plant.entry("a", "web"), Want.of(resource).score)
        await running(plant, resource)
        await eventually_reads(
            lambda: counts(kubernetes), {"matchedDeviceCount": 3, "succeeded": 3}
        )
        found = await seen(kubernetes)
        assert found["metadata"]["finalizers"] == ["fleet.nationtech.io/finalizer"]
        conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
        assert conditions == {
            "Ready": "True",
            "Progressing": "False",
            "Degraded": "False",
            "Paused": "False",
        }
        line = await asyncio.to_thread(kubernetes.kubectl, "get", "fleetdep", "--no-headers")
        assert line.split()[:8] == ["web", "3", "3", "0", "0", "0", "Completed", "1"]

        await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdep", "web", "--wait=false")
        await eventually_reads(lambda: plant.named("a"), [])
        assert await seen(kubernetes) is not None, "the devices have not confirmed"
        for device in DEVICES:
            await plant.withdraw(device, "web")
        await eventually_reads(lambda: seen(kubernetes), None)


async def test_an_operator_that_replaces_a_killed_one_writes_the_same_bytes(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    resource = deployment()
    await devices(plant)
    async with operators("one", killed=True):
        await applied(kubernetes, resource)
        await eventually_reads(lambda: plant.entry("c", "web"), Want.of(resource).score)
        await running(plant, resource)
        await eventually_reads(
            lambda: counts(kubernetes), {"matchedDeviceCount": 3, "succeeded": 3}
        )
    before, status = await plant.everything(), (await seen(kubernetes))["status"]
    async with operators("two") as operator:
        await eventually(lambda: operator.writes, timeout_s=15)
        await asyncio.wait_for(operator.converged.wait(), 10)
        await remains(plant.everything, before)
        assert (await seen(kubernetes))["status"] == status


async def test_what_was_deleted_while_nobody_looked_is_collected_once_all_is_known(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    async with operators():
        await applied(kubernetes, deployment("web"), deployment("old"))
        await eventually_reads(lambda: plant.named("c"), ["old", "web"])
    patch = '{"metadata":{"finalizers":null}}'
    words = ("patch", "fleetdep", "old", "--type=merge", "-p", patch)
    await asyncio.to_thread(kubernetes.kubectl, *words)
    await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdep", "old")
    assert await plant.named("c") == ["old", "web"]
    async with operators():
        await eventually_reads(lambda: plant.named("c"), ["web"], timeout_s=15)


async def test_what_another_cluster_lacks_is_not_taken_for_deleted(
    kubernetes: KubernetesMachine,
    plant: Plant,
    operators: Operators,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await devices(plant)
    async with operators("one", killed=True):
        await applied(kubernetes, deployment("web"))
        await eventually_reads(lambda: plant.named("c"), ["web"])
        await eventually_reads(lambda: mirrored(plant), {"default.web"})
    patch = '{"metadata":{"finalizers":null}}'
    words = ("patch", "fleetdep", "web", "--type=merge", "-p", patch)
    await asyncio.to_thread(kubernetes.kubectl, *words)
    await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdep", "web")

    async def elsewhere(_client: object) -> str:
        return "another-cluster"

    monkeypatch.setattr("fleet_core.operator.kubernetes.store.identity_of", elsewhere)
    async with operators("two") as operator:
        await applied(kubernetes, deployment("other"))
        await eventually_reads(lambda: plant.named("c"), ["other", "web"], timeout_s=15)
        await remains(lambda: plant.named("c"), ["other", "web"])
        assert operator.writer.entries_removed == 0
    assert "devices keep web" in caplog.text


async def mirrored(plant: Plant) -> set[str]:
    return set(await plant.all_of("deployments"))


async def test_of_two_operators_one_writes_and_the_other_takes_over(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    resource = deployment()
    await devices(plant)
    async with operators("two") as second:
        async with operators("one", killed=True) as first:
            await eventually(lambda: first.writes or second.writes, timeout_s=15)
            await applied(kubernetes, resource)
            await eventually_reads(lambda: plant.entry("c", "web"), Want.of(resource).score)
            await running(plant, resource)
            full = {"matchedDeviceCount": 3, "succeeded": 3}
            await eventually_reads(lambda: counts(kubernetes), full)
            assert first.writes != second.writes
            led_by_first = first.writes
        before = await plant.everything()
        killed_at = time.monotonic()
        await eventually(lambda: second.writes, timeout_s=15)
        if led_by_first:
            assert time.monotonic() - killed_at > 1, "the one before may still have written"
        assert await plant.everything() == before
        changed = deployment(image="registry.example/web:2")
        await applied(kubernetes, changed)
        await eventually_reads(lambda: plant.entry("c", "web"), Want.of(changed).score)


async def test_nothing_is_lost_while_the_api_server_is_killed_and_its_history_forgotten(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    if not kubernetes.can_be_killed:
        pytest.skip("the API server is not the tests' own")
    await devices(plant)
    async with operators() as operator:
        await applied(kubernetes, deployment("web"), deployment("other"))
        await eventually_reads(lambda: plant.named("c"), ["other", "web"])
        await asyncio.to_thread(kubernetes.kill_api)
        await plant.device("d", site="berlin")
        await eventually(lambda: "d" in operator.fleet.wants)
        await asyncio.to_thread(kubernetes.start_api)
        await applied(kubernetes, deployment("web", image="registry.example/web:2"))
        await asyncio.to_thread(kubernetes.compact)
        second = Want.of(deployment(image="registry.example/web:2"))
        await eventually_reads(lambda: plant.entry("d", "web"), second.score, timeout_s=30)
        await eventually_reads(lambda: plant.named("d"), ["other", "web"], timeout_s=10)
        assert operator.writer.entries_removed == 0


async def test_a_nats_that_lost_its_store_has_everything_again(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators, nats_server: NatsServer
) -> None:
    await devices(plant)
    async with operators() as operator:
        await applied(kubernetes, deployment("web"), deployment("other"))
        await eventually_reads(lambda: plant.named("c"), ["other", "web"])
        removed = operator.writer.entries_removed
        await restarted(nats_server, plant.connection, wipe=True)
        await plant.prepare()
        await devices(plant)
        await eventually_reads(lambda: plant.named("c"), ["other", "web"], timeout_s=30)
        assert await plant.entry("a", "web") == Want.of(deployment()).score
        assert operator.writer.entries_removed == removed


async def test_one_bad_spec_is_told_and_the_others_go_on(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    broken = manifest(deployment("broken"))
    broken["spec"]["score"]["data"]["services"] *= 2
    async with operators():
        await asyncio.to_thread(kubernetes.apply, broken)
        await applied(kubernetes, deployment("web"))

        async def degraded() -> str:
            found = await seen(kubernetes, "broken")
            told = found.get("status", {}).get("conditions", [])
            return next((each["reason"] for each in told if each["type"] == "Degraded"), "")

        await eventually_reads(degraded, "InvalidSpec")
        await eventually_reads(lambda: reasons(kubernetes, "broken"), {"InvalidSpec"})
        await eventually_reads(lambda: plant.named("a"), ["web"])


async def degraded_by(kubernetes: KubernetesMachine, name: str, namespace: str) -> str:
    """The reason of the condition `Degraded`, where it holds."""
    found = await asyncio.to_thread(kubernetes.get, "fleetdep", name, namespace)
    told = (found or {}).get("status", {}).get("conditions", [])
    held = [each for each in told if each["type"] == "Degraded" and each["status"] == "True"]
    return held[0]["reason"] if held else ""


async def test_two_that_claim_a_name_on_a_device_are_told_and_the_older_keeps_it(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    older = deployment("web")
    async with operators() as operator:
        await applied(kubernetes, older)
        await eventually_reads(lambda: plant.named("a"), ["web"])
        await asyncio.sleep(1)  # Clusters count seconds: of the same one, the name decides.
        younger = deployment("web", namespace="kube-public", image="registry.example/web:2")
        await applied(kubernetes, younger)
        await eventually_reads(
            lambda: degraded_by(kubernetes, "web", "kube-public"), "NameConflict"
        )
        assert await degraded_by(kubernetes, "web", "default") == ""
        assert await plant.entry("a", "web") == Want.of(older).score
        assert operator.writer.entries_removed == 0


async def test_a_rollout_that_can_never_finish_is_told_and_the_last_good_one_runs_on(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    async with operators() as operator:
        await applied(kubernetes, deployment("web"))
        await eventually_reads(lambda: plant.named("a"), ["web"])
        endless = manifest(deployment("web", image="registry.example/web:2"))
        batches = [{"name": "all"}, {"name": "never", "count": 1}]
        endless["spec"]["rollout"] = {"strategy": "Staged", "batches": batches}
        await asyncio.to_thread(kubernetes.apply, endless)
        await eventually_reads(lambda: degraded_by(kubernetes, "web", "default"), "InvalidSpec")
        await eventually_reads(lambda: reasons(kubernetes, "web"), {"Updated", "InvalidSpec"})
        assert await plant.entry("a", "web") == Want.of(deployment("web")).score
        assert operator.writer.entries_removed == 0


async def test_labels_that_an_administrator_sets_win(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    device = {
        "apiVersion": "fleet.nationtech.io/v1alpha1",
        "kind": "Device",
        "metadata": {"name": "a", "labels": {"site": "paris"}},
        "spec": {},
    }
    await asyncio.to_thread(kubernetes.apply, device)
    async with operators():
        await applied(kubernetes, deployment(labels={"site": "paris"}))
        await eventually_reads(lambda: plant.named("a"), ["web"])
        assert await plant.named("b") == []
        await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdev", "a")
        await eventually_reads(lambda: plant.named("a"), [])
        # The operator shows it again, with the labels that the device tells.
        await eventually_reads(lambda: device_labels(kubernetes, "a"), {"site": "berlin"})


async def test_a_staged_rollout_survives_its_operator(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    first = deployment()
    await devices(plant)
    changed = manifest(deployment(image="registry.example/web:2"))
    changed["spec"]["rollout"] = {
        "strategy": "Staged",
        "batches": [{"name": "canary", "count": 1}],
        "maxUnavailable": "100%",
        "onFailure": "revert",
    }
    second = Want.of(deployment(image="registry.example/web:2"))

    async def having() -> int:
        scores = [await plant.entry(device, "web") for device in DEVICES]
        return scores.count(second.score)

    async with operators("one", killed=True):
        await applied(kubernetes, first)
        await eventually_reads(lambda: plant.entry("c", "web"), Want.of(first).score)
        await running(plant, first)
        await asyncio.to_thread(kubernetes.apply, changed)
        await eventually_reads(having, 1)
    before = await plant.everything()
    async with operators("two") as operator:
        await eventually(lambda: operator.writes, timeout_s=15)
        await remains(plant.everything, before)
        (canary,) = [d for d in DEVICES if await plant.entry(d, "web") == second.score]
        failed = state(canary, "web", second.entry.spec_hash, phase=Phase.FAILED, at_s=time.time())
        await plant.tell(failed)
        await eventually_reads(having, 0)
        found = await seen(kubernetes)
        assert found["status"]["rollout"]["phase"] == "Reverted"
        # What the first one had to tell of the start may have ended with it.
        happened = {"BatchFailed", "RolloutReverted"}

        async def told() -> set[str]:
            return happened & await reasons(kubernetes, "web")

        await eventually_reads(told, happened)
        revisions = await asyncio.to_thread(
            kubernetes.kubectl, "get", "controllerrevisions", "--no-headers"
        )
        assert len(revisions.splitlines()) == 2


async def test_who_reaches_nats_alone_sees_what_the_cluster_holds(
    kubernetes: KubernetesMachine, plant: Plant, operators: Operators
) -> None:
    await devices(plant)
    await plant.apply(deployment("by-hand"))
    async with operators():
        await applied(kubernetes, deployment())
        await eventually_reads(lambda: plant.named("a"), ["web"])
        await running(plant, deployment())
        await eventually_reads(
            lambda: plant.counts("web"), {"matched_device_count": 3, "succeeded": 3}
        )
        mirrored = await plant.all_of("deployments")
        assert sorted(mirrored) == ["default.by-hand", "default.web"]
        assert b"fleet.nationtech.io/mirror-of" in mirrored["default.web"]
        assert len(await plant.all_of("deployment-revisions")) == 1
        holder = await plant.bucket("control-plane").get("holder")
        assert holder is not None
        assert b'"heldBy":"kubernetes"' in holder.value

        await asyncio.to_thread(kubernetes.kubectl, "delete", "fleetdep", "web", "--wait=false")
        for device in DEVICES:
            await plant.withdraw(device, "web")

        async def left() -> list[str]:
            names = ("deployments", "deployment-status", "deployment-revisions")
            return [key for name in names for key in await plant.all_of(name)]

        await eventually_reads(left, ["default.by-hand"], timeout_s=10)
