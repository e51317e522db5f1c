"""Programs run on devices over a real server: plans, results, errors, and the audit records."""

from __future__ import annotations

import asyncio
import base64
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.audit import AuditRecord
from fleet_core.contracts.base import decode
from fleet_core.contracts.commands import EXEC_MAX_STREAM_BYTES
from fleet_core.errors import FleetError, InvalidInputError, RefusedError
from fleet_core.messaging import CommandServer, ConnectionSettings, api_request, connect
from fleet_core.operations import exec as exec_module
from fleet_core.operations.contexts import Context
from fleet_core.operations.exec import PARALLEL_DEVICES
from fleet_core.operations.exec_results import ExecOutput, kept_chars
from fleet_core.operations.live import LiveFleet
from fleet_core.operations.plans import Friction, Request
from fleet_core.operations.registry import operation
from tests.support.exec_devices import (
    HOSTILE,
    ended,
    exec_devices,
    heard,
    refusing,
    without_container,
)
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_core.messaging import Connection
    from fleet_core.operations.plans import TargetResult
    from tests.support.exec_devices import ExecDevices
    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(20)
KIOSKS = ("kiosk-1", "kiosk-2")
ONE = Request(devices=("kiosk-1",), argv=("uname", "-s"), timeout_s=25)


@pytest.fixture
async def connection(nats_server: NatsServer) -> AsyncIterator[Connection]:
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        yield connection


@pytest.fixture
async def devices(connection: Connection) -> AsyncIterator[ExecDevices]:
    async with exec_devices(connection, *KIOSKS) as devices:
        yield devices


def context(server: NatsServer, *, production: bool = False, read_only: bool = False) -> Context:
    return Context(
        "prod",
        (server.url,),
        production=production,
        read_only=read_only,
        arguments=("--context", "prod"),
    )


@pytest.fixture
async def fleet(nats_server: NatsServer) -> AsyncIterator[LiveFleet]:
    async with await LiveFleet.open(context(nats_server), buckets=()) as fleet:
        yield fleet


async def run(fleet: LiveFleet, request: Request) -> dict[str, TargetResult]:
    plan = await operation("exec").plan(fleet, request)
    async with aclosing(operation("exec").run(fleet, plan)) as results:
        return {result.target: result async for result in results}


async def run_one(fleet: LiveFleet, request: Request = ONE) -> TargetResult:
    (result,) = (await run(fleet, request)).values()
    return result


def output_of(result: TargetResult) -> ExecOutput:
    output = ExecOutput.of(result.data)
    assert output is not None
    return output


async def last_record(fleet: LiveFleet) -> AuditRecord:
    asked = {"last_by_subj": "audit.exec"}
    message = await api_request(fleet.connection, "STREAM.MSG.GET.audit", asked)
    return decode(AuditRecord, base64.b64decode(message["message"]["data"]))


async def test_a_program_is_run_where_it_is_meant_to(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    request = Request(
        devices=("kiosk-1",), deployment="web", container="main", argv=("uname", "-s"), timeout_s=7
    )
    plan = await operation("exec").plan(fleet, request)
    assert plan.title == "exec uname -s in web/main on kiosk-1"
    assert plan.friction is Friction.NONE
    assert plan.command == (
        "fleet --context prod exec kiosk-1 -d web -c main --timeout 7 -- uname -s"
    )
    result = await run_one(fleet, request)
    assert (result.ok, result.kind, result.message) == (True, "ok", "exit code 0: second")
    assert output_of(result) == ExecOutput(0, "Linux\nsecond\n", "", truncated=False)
    ((device, asked),) = devices.asked
    assert (device, asked.argv, asked.shell, asked.timeout_s) == (
        "kiosk-1",
        ["uname", "-s"],
        None,
        7,
    )
    assert (asked.deployment, asked.container) == ("web", "main")


async def test_a_shell_line_is_sent_as_it_stands(fleet: LiveFleet, devices: ExecDevices) -> None:
    request = Request(devices=("kiosk-1",), deployment="web/main", shell_line="ls  /etc | wc -l")
    plan = await operation("exec").plan(fleet, request)
    assert plan.command.endswith(
        "exec kiosk-1 -d web -c main --timeout 2 --shell 'ls  /etc | wc -l'"
    )
    await run_one(fleet, request)
    ((_, asked),) = devices.asked
    assert (asked.shell, asked.argv, asked.container) == ("ls  /etc | wc -l", None, "main")


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(devices=("a",)), "no program is given"),
        (Request(devices=("a",), argv=("ls",), shell_line="ls"), "both a program and a shell line"),
        (Request(devices=("a",), argv=("ls",), container="main"), "without its deployment"),
        (Request(devices=("a",), argv=("ls",), timeout_s=26), "timeout_s: .*25"),
        (Request(devices=("a",), argv=("ls",), deployment="No.Name"), "deployment"),
        (Request(argv=("ls",)), "no device is named"),
        (Request(devices=tuple(f"d-{n}" for n in range(501)), argv=("ls",)), "too many"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    fleet: LiveFleet, request_: Request, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        await operation("exec").plan(fleet, request_)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (3, "exit", "exit code 3: no such file"),
        (-9, "exit", "exit code -9: no such file"),
        (None, "deadline", "ended by its deadline: no such file"),
    ],
)
async def test_a_program_that_ends_badly_is_told_and_recorded(
    fleet: LiveFleet, devices: ExecDevices, code: int | None, kind: str, message: str
) -> None:
    devices.answer = ended(code, stdout="some\n", stderr="ls: no\nno such file\n")
    result = await run_one(fleet)
    assert (result.ok, result.kind, result.message) == (False, kind, message)
    assert output_of(result).exit_code == code
    record = await last_record(fleet)
    assert (record.result, record.detail) == ("failed", message.partition(":")[0])


async def test_the_record_tells_who_ran_what_where_and_how_it_ended(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    await run_one(fleet, Request(devices=("kiosk-1",), deployment="web", shell_line="x" * 9_000))
    record = await last_record(fleet)
    assert (record.operation, record.result, record.detail) == ("exec", "ok", "exit code 0")
    assert record.target == "web on kiosk-1"
    assert record.command.startswith("fleet --context prod exec kiosk-1 -d web")
    assert len(record.command) <= 4_096
    assert "@" in record.actor
    assert record.id == devices.asked[0][1].request_id


async def test_several_devices_are_one_record_with_each_outcome(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    devices.answer = refusing
    request = Request(devices=(*KIOSKS, "gone"), argv=("ls",))
    plan = await operation("exec").plan(fleet, request)
    assert (plan.friction, plan.confirmation) == (Friction.TYPE_NUMBER, "3")
    results = await run(fleet, request)
    assert {result.kind for result in results.values()} == {"refused", "offline"}
    record = await last_record(fleet)
    assert record.detail == "refused on 2, offline on 1"
    assert record.target == "host on kiosk-1, kiosk-2, gone"
    assert (record.matched, record.failed, record.offline) == (3, 2, 1)


async def test_a_refusal_says_who_can_allow_it(fleet: LiveFleet, devices: ExecDevices) -> None:
    devices.answer = refusing
    result = await run_one(fleet)
    assert result.kind == "refused"
    assert result.message.startswith("this device does not run programs for others (only ")
    assert ExecOutput.of(result.data) is None


async def test_a_container_that_is_not_there_is_told_and_inert(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    devices.answer = without_container
    result = await run_one(fleet)
    assert (result.kind, "\x1b" in result.message) == ("not-found", False)
    assert "one of: main" in result.message


async def test_nobody_answers_and_why_that_may_be(fleet: LiveFleet) -> None:
    result = await run_one(fleet)
    assert result.kind == "offline"
    assert "offline, or its agent is too old for exec" in result.message


async def test_an_agent_that_knows_no_exec_is_to_be_updated(
    fleet: LiveFleet, connection: Connection
) -> None:
    serving = asyncio.create_task(CommandServer(connection, "kiosk-1").run())
    await heard(connection, ("kiosk-1",))
    result = await run_one(fleet)
    assert result.kind == "refused"
    assert result.message == "its agent is too old for exec (update the agent)"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_what_a_device_sends_is_kept_as_it_is_but_its_message_is_inert(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    devices.answer = ended(1, stdout=HOSTILE, stderr=HOSTILE)
    result = await run_one(fleet)
    assert output_of(result).stdout == HOSTILE
    assert result.message.isprintable()
    assert (await last_record(fleet)).detail == "exit code 1"


async def test_output_that_was_cut_is_told(fleet: LiveFleet, devices: ExecDevices) -> None:
    devices.answer = ended(0, stdout="x" * 10, truncated=True)
    assert output_of(await run_one(fleet)).truncated
    devices.answer = ended(0, stdout="x" * (EXEC_MAX_STREAM_BYTES + 1))
    output = output_of(await run_one(fleet))
    assert output.truncated
    assert len(output.stdout) == EXEC_MAX_STREAM_BYTES


async def test_what_is_no_text_is_not_cut_for_being_longer_as_it_is_sent(
    fleet: LiveFleet, devices: ExecDevices
) -> None:
    devices.answer = ended(0, stdout="\ufffd" * EXEC_MAX_STREAM_BYTES)
    output = output_of(await run_one(fleet))
    assert (len(output.stdout), output.truncated) == (EXEC_MAX_STREAM_BYTES, False)


def test_the_more_devices_the_less_is_kept_of_each() -> None:
    assert kept_chars(1) == kept_chars(32) == EXEC_MAX_STREAM_BYTES
    assert kept_chars(500) * 500 <= 8 * 1024 * 1024


async def test_an_answer_that_comes_too_late_changes_nothing(
    fleet: LiveFleet, devices: ExecDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_module, "ANSWER_MARGIN_S", 0.1)
    devices.may_answer.clear()
    result = await run_one(fleet, Request(devices=("kiosk-1",), argv=("sleep", "9"), timeout_s=1))
    assert (result.ok, result.kind) == (False, "timeout")
    assert "it may still have acted" in result.message
    assert (await last_record(fleet)).detail == "timeout"
    devices.may_answer.set()
    await eventually(lambda: devices.ended == ["kiosk-1"])
    again = await run_one(fleet)
    assert again.ok


async def test_many_devices_are_asked_some_at_a_time(
    fleet: LiveFleet, connection: Connection
) -> None:
    names = tuple(f"d-{number}" for number in range(PARALLEL_DEVICES + 8))
    async with exec_devices(connection, *names) as devices:
        devices.may_answer.clear()
        running = asyncio.create_task(run(fleet, Request(devices=names, argv=("ls",))))
        await eventually(lambda: devices.at_work == PARALLEL_DEVICES)
        await heard(fleet.connection, names[:1])  # a further request would have come before it
        assert devices.at_work == PARALLEL_DEVICES
        devices.may_answer.set()
        results = await running
        assert set(results) == set(names)
        assert all(result.ok for result in results.values())


async def test_production_takes_its_name_even_for_one_device(nats_server: NatsServer) -> None:
    where = context(nats_server, production=True)
    async with await LiveFleet.open(where, buckets=()) as fleet:
        plan = await operation("exec").plan(fleet, ONE)
        assert (plan.friction, plan.confirmation) == (Friction.TYPE_NAME, "prod")


async def test_a_read_only_context_runs_nothing(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    async with await LiveFleet.open(context(nats_server, read_only=True), buckets=()) as fleet:
        with pytest.raises(RefusedError, match="read-only"):
            await run_one(fleet)
    assert devices.asked == []


async def test_without_a_link_it_is_an_error_of_the_tree(
    fleet: LiveFleet, devices: ExecDevices, nats_server: NatsServer
) -> None:
    nats_server.stop()
    await eventually(lambda: not fleet.connection.is_connected)
    with pytest.raises(FleetError):
        await run_one(fleet)
    assert devices.asked == []
