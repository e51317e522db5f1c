"""Staged rollouts through the operator and a real server: written, restarted, reverted, undone."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.base import canonical_json, decode
from fleet_core.contracts.buckets import DEPLOYMENT_REVISIONS
from fleet_core.contracts.resources import Deployment
from fleet_core.contracts.rollouts import COMMANDS_ANNOTATION, RolloutPhase
from fleet_core.contracts.states import Phase
from fleet_core.operator.wants import Want
from tests.operator.fleets import deployment, state
from tests.operator.test_operator import run_until_converged
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_core.operator.controller import Operator
    from tests.operator.plant import Plant
    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(30)

DEVICES = [f"d{number}" for number in range(8)]
CANARY = {"name": "canary", "count": 2}


def staged(version: int, *commands: str, **rollout: Any) -> Deployment:
    """A version of the Deployment that reaches two canaries first."""
    plain = deployment(image=f"registry.example/web:{version}", generation=version)
    value = json.loads(plain.model_dump_json(by_alias=True))
    value["spec"]["rollout"] = {
        "strategy": "Staged",
        "batches": [CANARY],
        "maxUnavailable": "100%",
        **rollout,
    }
    told = [
        {"id": f"{version}-{number}", "verb": verb, "specHash": hash_of(plain)}
        for number, verb in enumerate(commands)
    ]
    value["metadata"]["annotations"] = {
        COMMANDS_ANNOTATION: canonical_json({"commands": told}).decode()
    }
    return decode(Deployment, json.dumps(value).encode())


def hash_of(resource: Deployment) -> str:
    return Want.of(resource).entry.spec_hash


async def having(plant: Plant, resource: Deployment) -> set[str]:
    """The devices whose desired state has a version."""
    score = Want.of(resource).score
    return {device for device in DEVICES if await plant.entry(device, "web") == score}


async def phase(plant: Plant) -> RolloutPhase | None:
    status = await plant.status("web")
    return status.rollout.phase if status is not None and status.rollout is not None else None


async def told(plant: Plant, devices: set[str], resource: Deployment, how: Phase) -> None:
    """Devices tell how a version does on them."""
    for device in devices:
        await plant.tell(state(device, "web", hash_of(resource), phase=how, at_s=time.time()))


async def first_version(plant: Plant) -> Deployment:
    """Have all devices run the first version."""
    first = deployment(image="registry.example/web:1")
    for device in DEVICES:
        await plant.device(device)
    await plant.apply(first)
    await eventually_reads(lambda: having(plant, first), set(DEVICES))
    await told(plant, set(DEVICES), first, Phase.RUNNING)
    await eventually_reads(lambda: phase(plant), RolloutPhase.COMPLETED)
    return first


async def canaries(plant: Plant, resource: Deployment) -> set[str]:
    """Wait until the canaries of a version have been told; return them."""

    async def count() -> int:
        return len(await having(plant, resource))

    await eventually_reads(count, 2)
    return await having(plant, resource)


async def test_the_canaries_first_and_the_others_once_they_run(
    plant: Plant, operator: Operator
) -> None:
    await first_version(plant)
    second = staged(2)
    await plant.apply(second)
    two = await canaries(plant, second)
    status = await plant.status("web")
    assert status is not None
    assert {condition.type: condition.status for condition in status.conditions} == {
        "Ready": "False",
        "Progressing": "True",
        "Degraded": "False",
        "Paused": "False",
    }
    await told(plant, two, second, Phase.RUNNING)
    await eventually_reads(lambda: having(plant, second), set(DEVICES))
    await told(plant, set(DEVICES), second, Phase.RUNNING)
    await eventually_reads(lambda: phase(plant), RolloutPhase.COMPLETED)
    assert operator.is_synced


async def test_an_operator_that_takes_over_goes_on_where_the_one_before_was(
    plant: Plant, nats_server: NatsServer
) -> None:
    first, second = deployment(image="registry.example/web:1"), staged(2)
    for device in DEVICES:
        await plant.device(device)
    await plant.apply(first)
    await run_until_converged(nats_server)
    await told(plant, set(DEVICES), first, Phase.RUNNING)
    await plant.apply(second)
    await run_until_converged(nats_server)
    for _ in range(3):
        await run_until_converged(nats_server, also_s=1.5)
    before = await plant.everything()
    two = await having(plant, second)
    assert len(two) == 2
    await run_until_converged(nats_server, also_s=1.5)
    assert await plant.everything() == before
    await told(plant, two, second, Phase.RUNNING)
    for _ in range(2):
        await run_until_converged(nats_server, also_s=1.5)
    assert await having(plant, second) == set(DEVICES)


@pytest.mark.usefixtures("operator")
async def test_a_failing_canary_reverts_and_says_so(plant: Plant) -> None:
    first = await first_version(plant)
    second = staged(2, onFailure="revert")
    await plant.apply(second)
    two = await canaries(plant, second)
    await told(plant, two, second, Phase.FAILED)
    await eventually_reads(lambda: having(plant, first), set(DEVICES))
    status = await plant.status("web")
    assert status is not None
    degraded = next(each for each in status.conditions if each.type == "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "RolloutReverted")
    assert "2 of 2 failed" in degraded.message or "1 of 2 failed" in degraded.message
    # From now on devices are measured by what they are told to run.
    await told(plant, set(DEVICES), first, Phase.RUNNING)
    everywhere = {"matched_device_count": len(DEVICES), "succeeded": len(DEVICES)}
    await eventually_reads(lambda: plant.counts("web"), everywhere)


@pytest.mark.usefixtures("operator")
async def test_what_people_tell_takes_effect_soon(plant: Plant) -> None:
    await first_version(plant)
    await plant.apply(staged(2))
    await canaries(plant, staged(2))
    await plant.apply(staged(2, "pause"))
    await eventually_reads(lambda: phase(plant), RolloutPhase.PAUSED, timeout_s=5)
    await plant.apply(staged(2, "pause", "resume", "promote"))
    await eventually_reads(lambda: having(plant, staged(2)), set(DEVICES), timeout_s=5)


@pytest.mark.usefixtures("operator")
async def test_the_last_ten_versions_are_kept(plant: Plant) -> None:
    for device in DEVICES[:2]:
        await plant.device(device)
    for version in range(1, 14):
        await plant.apply(deployment(image=f"registry.example/web:{version}", generation=version))

        async def observed() -> int:
            status = await plant.status("web")
            return status.observed_generation if status is not None else 0

        await eventually_reads(observed, version)
    kept = await plant.all_of(DEPLOYMENT_REVISIONS.name)
    numbers = sorted(json.loads(value)["number"] for value in kept.values())
    assert numbers == list(range(4, 14))


@pytest.mark.usefixtures("operator")
async def test_a_spec_that_cannot_be_read_is_told_and_what_runs_goes_on(plant: Plant) -> None:
    first = await first_version(plant)
    before = await plant.everything()
    broken = json.loads(staged(2).model_dump_json(by_alias=True))
    broken["spec"]["rollout"]["maxUnavailable"] = 0
    await plant.bucket("deployments").put("default.web", json.dumps(broken).encode())

    async def degraded() -> tuple[str, str]:
        status = await plant.status("web")
        assert status is not None
        found = next(each for each in status.conditions if each.type == "Degraded")
        return found.status, found.reason

    await eventually_reads(degraded, ("True", "InvalidSpec"))
    assert await plant.everything() == before
    assert await having(plant, first) == set(DEVICES)
    await plant.apply(deployment(image="registry.example/web:1", generation=3))
    await eventually_reads(degraded, ("False", "AsExpected"))


@pytest.mark.usefixtures("operator")
async def test_of_two_with_one_name_the_younger_is_told_of_the_dispute(plant: Plant) -> None:
    await first_version(plant)
    before = await plant.everything()
    await plant.apply(
        deployment(namespace="other", image="registry.example/other:1", created_s=2_000_000_000)
    )

    async def reason() -> str:
        entry = await plant.bucket("deployment-status").get("other.web")
        if entry is None:
            return ""
        conditions = json.loads(entry.value)["conditions"]
        return next(each["reason"] for each in conditions if each["type"] == "Degraded")

    await eventually_reads(reason, "NameConflict")
    assert await plant.everything() == before
