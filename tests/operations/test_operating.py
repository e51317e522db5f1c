"""Plans and results of the operations against a real server, and the audit records they leave."""

from __future__ import annotations

import base64
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.audit import AuditRecord
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import DEPLOYMENTS
from fleet_core.contracts.resources import Deployment
from fleet_core.errors import InvalidInputError, NotFoundError, RefusedError, RetryLaterError
from fleet_core.messaging import KvBucket, api_request
from fleet_core.operations.inspect import inspect_device
from fleet_core.operations.plans import Friction, Plan, Request
from fleet_core.operations.registry import OPERATIONS, operation
from fleet_core.operations.yaml_text import to_yaml
from fleet_core.view import FilterError
from tests.operations.conftest import ANSWERING, REFUSING, SILENT
from tests.operator.fleets import deployment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import TargetResult
    from tests.operations.conftest import SmallFleet

pytestmark = pytest.mark.timeout(20)
EVERYONE = (*ANSWERING, REFUSING, SILENT)


async def run(fleet: LiveFleet, name: str, plan: Plan) -> dict[str, TargetResult]:
    """Carry a plan out; return the results by target."""
    async with aclosing(operation(name).run(fleet, plan)) as results:
        return {result.target: result async for result in results}


async def records(fleet: LiveFleet) -> list[AuditRecord]:
    """All audit records, oldest first."""
    info = await api_request(fleet.connection, "STREAM.INFO.audit")
    found = []
    for number in range(1, info["state"]["last_seq"] + 1):
        message = await api_request(fleet.connection, "STREAM.MSG.GET.audit", {"seq": number})
        found.append(decode(AuditRecord, _base64(message["message"]["data"])))
    return found


def _base64(text: str) -> bytes:
    return base64.b64decode(text)


def yaml_of(resource: Deployment) -> bytes:
    return to_yaml(json.loads(encode(resource))).encode()


async def test_a_ping_tells_who_answers_and_how_fast(fleet: LiveFleet) -> None:
    plan = await operation("ping").plan(fleet, Request(devices=("a-1", SILENT)))
    assert plan.friction is Friction.NONE
    assert plan.command == f"fleet --context prod ping a-1 {SILENT}"
    results = await run(fleet, "ping", plan)
    assert results["a-1"].ok
    assert results["a-1"].rtt_ms is not None
    assert results["a-1"].message == "agent 1.3.2, up 60s"
    assert (results[SILENT].ok, results[SILENT].kind) == (False, "offline")
    assert await records_or_none(fleet) == []


async def records_or_none(fleet: LiveFleet) -> list[AuditRecord]:
    try:
        return await records(fleet)
    except NotFoundError:
        return []


async def test_a_filter_names_devices_as_everywhere(fleet: LiveFleet) -> None:
    plan = await operation("ping").plan(fleet, Request(filter="site=berlin and not b-4"))
    assert plan.devices == ANSWERING
    assert plan.command == "fleet --context prod ping --filter 'site=berlin and not b-4'"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (Request(), InvalidInputError),
        (Request(devices=("a.b",)), InvalidInputError),
        (Request(devices=("a-1",), filter="site=berlin"), InvalidInputError),
        (Request(filter="site=(berlin"), FilterError),
    ],
)
async def test_a_ping_of_nobody_is_refused(
    fleet: LiveFleet, request_: Request, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await operation("ping").plan(fleet, request_)


async def test_logs_are_read_from_several_devices_and_inert(fleet: LiveFleet) -> None:
    request = Request(devices=("a-1", "a-2"), deployment="web", container="web", tail=5)
    plan = await operation("logs").plan(fleet, request)
    results = await run(fleet, "logs", plan)
    lines = results["a-2"].data["lines"]
    assert lines[-1].startswith("web line 4")
    assert not any("\x1b" in line for line in lines)
    assert results["a-2"].data["truncated"]


async def test_a_redeploy_is_done_once_and_audited(
    fleet: LiveFleet, small_fleet: SmallFleet
) -> None:
    plan = await operation("redeploy").plan(fleet, Request(deployment="web"))
    assert plan.devices == EVERYONE
    assert (plan.friction, plan.confirmation) == (Friction.TYPE_NUMBER, "5")
    results = await run(fleet, "redeploy", plan)
    assert {device for device, result in results.items() if result.ok} == set(ANSWERING)
    assert results[SILENT].kind == "offline"
    assert results[REFUSING].kind == "refused"
    assert "\x1b" not in results[REFUSING].message
    again = await run(fleet, "redeploy", plan)
    assert again["a-1"].ok
    assert len(small_fleet.redeployed) == len(ANSWERING)
    record = (await records(fleet))[0]
    assert (record.matched, record.succeeded, record.failed, record.offline) == (5, 3, 1, 1)
    assert (record.operation, record.result, record.target) == ("redeploy", "partial", "web")
    assert record.command == "fleet --context prod redeploy web"
    assert "@" in record.actor


async def test_an_operation_that_is_broken_off_is_audited_as_such(fleet: LiveFleet) -> None:
    plan = await operation("redeploy").plan(fleet, Request(deployment="web"))
    async with aclosing(operation("redeploy").run(fleet, plan)) as results:
        async for _ in results:
            break
    (record,) = await records(fleet)
    assert record.result == "cancelled"


async def test_apply_creates_then_changes_then_leaves_alone(fleet: LiveFleet) -> None:
    first = deployment(labels={"site": "berlin"})
    plan = await operation("apply").plan(fleet, Request(manifest=yaml_of(first), source="web.yaml"))
    assert plan.changes
    assert plan.devices == (*ANSWERING, REFUSING)
    assert plan.command == "fleet --context prod apply -f web.yaml"
    assert (await run(fleet, "apply", plan))["default/web"].ok

    second = deployment(labels={"site": "berlin"}, image="registry.example/web:2")
    plan = await operation("apply").plan(fleet, Request(manifest=yaml_of(second)))
    assert any(line.startswith("-") and "web:1" in line for line in plan.diff)
    assert any(line.startswith("+") and "web:2" in line for line in plan.diff)
    await run(fleet, "apply", plan)
    stored = await stored_deployment(fleet)
    assert stored.metadata.generation == 2

    plan = await operation("apply").plan(fleet, Request(manifest=yaml_of(second)))
    assert not plan.changes
    assert [record.result for record in await records(fleet)] == ["ok", "ok"]


async def stored_deployment(fleet: LiveFleet) -> Deployment:
    entry = await KvBucket(fleet.connection, DEPLOYMENTS.name).get("default.web")
    assert entry is not None
    return decode(Deployment, entry.value)


async def test_who_was_overtaken_is_told_and_writes_nothing(fleet: LiveFleet) -> None:
    apply = operation("apply")
    mine = await apply.plan(fleet, Request(manifest=yaml_of(deployment())))
    theirs = deployment(image="registry.example/web:9")
    await run(fleet, "apply", await apply.plan(fleet, Request(manifest=yaml_of(theirs))))
    result = (await run(fleet, "apply", mine))["default/web"]
    assert (result.ok, result.kind) == (False, "conflict")
    stored = await stored_deployment(fleet)
    assert stored.spec.score.data.services[0].image == "registry.example/web:9"


async def test_delete_takes_what_is_there_and_refuses_what_is_not(fleet: LiveFleet) -> None:
    with pytest.raises(NotFoundError):
        await operation("delete").plan(fleet, Request(deployment="web"))
    plan = await operation("apply").plan(fleet, Request(manifest=yaml_of(deployment())))
    await run(fleet, "apply", plan)
    plan = await operation("delete").plan(fleet, Request(deployment="web"))
    assert plan.devices == EVERYONE
    assert (await run(fleet, "delete", plan))["default/web"].ok
    with pytest.raises(NotFoundError):
        await operation("delete").plan(fleet, Request(deployment="web"))


async def test_a_read_only_context_plans_and_changes_nothing(small_fleet: SmallFleet) -> None:
    async with small_fleet.opened(read_only=True) as fleet:
        plan = await operation("redeploy").plan(fleet, Request(deployment="web"))
        with pytest.raises(RefusedError, match="read-only"):
            await run(fleet, "redeploy", plan)
        assert small_fleet.redeployed == []
        assert await records_or_none(fleet) == []


async def test_without_a_link_nothing_is_changed_and_it_is_told(
    fleet: LiveFleet, small_fleet: SmallFleet
) -> None:
    plan = await operation("redeploy").plan(fleet, Request(deployment="web"))
    small_fleet.server.stop()
    await eventually(lambda: not fleet.connection.is_connected)
    with pytest.raises((RefusedError, RetryLaterError)):
        await run(fleet, "redeploy", plan)
    assert small_fleet.redeployed == []


async def test_one_device_in_full(fleet: LiveFleet, small_fleet: SmallFleet) -> None:
    await small_fleet.plant.bucket("device-state").put("state.a-1.web", b'{"phase": 5}')
    found = await inspect_device(fleet, "a-1")
    assert found.info is not None
    assert found.info.labels == {"site": "berlin"}
    assert found.manifest is not None
    assert list(found.manifest.deployments) == ["web"]
    assert found.states == {}
    assert len(found.problems) == 1
    assert "device-state state.a-1.web" in found.problems[0]
    with pytest.raises(NotFoundError):
        await inspect_device(fleet, "nobody")


def test_every_operation_has_a_face() -> None:
    keys: dict[str, Any] = {}
    for name, each in OPERATIONS.items():
        assert each.id == name
        assert each.title
        assert each.help
        assert each.key not in keys
        keys[each.key] = name
    with pytest.raises(NotFoundError):
        operation("fly")
