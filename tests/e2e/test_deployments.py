"""A Deployment's whole life: applied, run, failed, changed, redeployed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.buckets import AUDIT_STREAM
from fleet_core.messaging import api_request
from tests.support.stack import eventually, manifest

if TYPE_CHECKING:
    from tests.support.stack import Stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]

MIGRATE = "{name: migrate, image: 'registry.example/shop/migrate:1.4'}"
WARM = "{name: warm, image: 'registry.example/edge/warm:2.1', timeout: 1}"


async def test_an_applied_deployment_runs_on_every_device_and_is_counted(stack: Stack) -> None:
    everyone = stack.devices()
    assert len(everyone) == 30

    await stack.apply(manifest("everywhere"))

    await eventually(lambda: stack.running("everywhere") == everyone)
    await eventually(
        lambda: stack.counts("everywhere") == {"matched_device_count": 30, "succeeded": 30}
    )


async def test_a_selector_chooses_the_devices(stack: Stack) -> None:
    ring = stack.devices(ring="1") - stack.devices(site="paris")
    assert ring
    selector = (
        "{matchLabels: {ring: '1'}, "
        "matchExpressions: [{key: site, operator: NotIn, values: [paris]}]}"
    )

    await stack.apply(manifest("chosen", selector=selector))

    await eventually(lambda: stack.running("chosen") == ring)
    await eventually(lambda: stack.counts("chosen").get("succeeded") == len(ring))
    assert stack.telling("chosen") == ring


async def test_a_failing_init_container_holds_the_service_back_and_is_told_with_its_log(
    stack: Stack,
) -> None:
    paris, others = stack.devices(site="paris"), stack.devices() - stack.devices(site="paris")

    await stack.apply(manifest("migrated", init=MIGRATE))

    await eventually(lambda: stack.running("migrated") == others)
    await eventually(
        lambda: (
            (found := stack.failure("migrated")) is not None
            and {device.device_id for device in found.devices} == paris
        )
    )
    failure = stack.failure("migrated")
    assert failure is not None
    assert (failure.container, failure.init, failure.exit_code) == ("migrate", True, 3)
    assert failure.how == "exited 3"
    assert all('name "db"' in device.log[-1] for device in failure.devices)
    state = await stack.state(min(paris), "migrated")
    assert state is not None
    assert state.reason.startswith("Init:")
    assert state.container_statuses[0].state.running is None
    await eventually(
        lambda: (
            stack.counts("migrated")
            == {"matched_device_count": 30, "succeeded": len(others), "failed": len(paris)}
        )
    )
    status = await stack.status("migrated")
    assert status is not None
    assert status.aggregate.last_error is not None
    assert status.aggregate.last_error.device_id in paris


async def test_an_init_container_that_hangs_is_ended_by_its_timeout(stack: Stack) -> None:
    lyon = stack.devices(site="lyon")

    await stack.apply(manifest("warmed", init=WARM, selector="{matchLabels: {kind: van}}"))

    await eventually(
        lambda: (
            (found := stack.failure("warmed")) is not None
            and {device.device_id for device in found.devices} == lyon
        ),
        timeout_s=15,
    )
    failure = stack.failure("warmed")
    assert failure is not None
    assert (failure.container, failure.cause) == ("warm", "InitTimeout")
    assert failure.devices[0].log[-1] == "warm: fetching index"
    await stack.delete("warmed")
    await eventually(lambda: not stack.telling("warmed"))


async def test_a_change_reaches_every_device(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("changed", version="1"))
    await eventually(lambda: stack.running("changed") == everyone)
    before = await stack.started_at(everyone, "changed")

    await stack.apply(manifest("changed", version="2"))

    await eventually(lambda: stack.running("changed") == everyone)
    after = await stack.started_at(everyone, "changed")
    assert all(after[device] > before[device] for device in everyone)
    await eventually(lambda: stack.observed("changed") == 2)
    await eventually(lambda: stack.counts("changed").get("succeeded") == len(everyone))


async def test_applying_the_same_again_touches_nothing(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("same"))
    await eventually(lambda: stack.running("same") == everyone)
    before = await stack.started_at(everyone, "same")

    await stack.apply(manifest("same"))
    await stack.apply(manifest("another"))

    await eventually(lambda: stack.running("another") == everyone)
    assert await stack.started_at(everyone, "same") == before


async def test_redeploying_starts_everything_again_with_the_same_spec(stack: Stack) -> None:
    others = stack.devices() - stack.devices(site="paris")
    await stack.apply(manifest("again", init=MIGRATE))
    await eventually(lambda: stack.running("again") == others)
    before = await stack.started_at(others, "again")

    results = await stack.redeploy("again")

    assert {result.target for result in results} == stack.devices()

    async def started_again() -> bool:
        after = await stack.started_at(others, "again")
        return all(after[device] and after[device] > before[device] for device in others)

    for _ in range(200):
        if await started_again():
            break
    else:
        pytest.fail("not every service was started again")
    status = await stack.status("again")
    assert status is not None
    assert status.observed_generation == 1


async def test_deleting_removes_it_from_every_device_and_nothing_else(stack: Stack) -> None:
    everyone = stack.devices()
    await stack.apply(manifest("kept"))
    await stack.apply(manifest("dropped"))
    await eventually(lambda: stack.running("kept") == stack.running("dropped") == everyone)
    before = await stack.started_at(everyone, "kept")

    await stack.delete("dropped")

    await eventually(lambda: not stack.telling("dropped"))
    await eventually(lambda: ("default", "dropped") not in stack.view.statuses)
    assert await stack.status("dropped") is None
    assert await stack.started_at(everyone, "kept") == before
    device = min(everyone)
    finished = await stack.cli("logs", device, "dropped")
    assert finished.code == 1
    assert "does not run 'dropped'" in finished.stderr


async def test_what_changed_the_fleet_is_in_the_audit_stream(stack: Stack) -> None:
    await stack.apply(manifest("audited"))
    wanted = {"subjects_filter": "audit.apply"}
    answer = await api_request(stack.fleet.connection, f"STREAM.INFO.{AUDIT_STREAM}", wanted)
    assert answer["state"]["subjects"]["audit.apply"] >= 1
