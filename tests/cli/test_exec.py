"""``fleet exec`` as a process of its own, against devices that answer as real ones do."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from fleet_core.cli.arguments import parse
from fleet_core.cli.exit_codes import exit_code_of_program
from fleet_core.messaging import ConnectionSettings, api_request, connect
from tests.support.exec_devices import HOSTILE, ended, exec_devices, refusing
from tests.support.terminal import Terminal
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.exec_devices import ExecDevices
    from tests.support.nats_server import NatsServer
    from tests.support.stack import Finished

    Fleet = Callable[..., Finished]

pytestmark = pytest.mark.timeout(30)
KIOSKS = ("kiosk-1", "kiosk-2")


@pytest.fixture
async def devices(nats_server: NatsServer) -> AsyncIterator[ExecDevices]:
    async with (
        await connect(ConnectionSettings((nats_server.url,))) as connection,
        exec_devices(connection, *KIOSKS) as devices,
    ):
        yield devices


async def run(server: NatsServer, *words: str) -> tuple[int, bytes, bytes]:
    """Run ``fleet exec`` in a process of its own, with pipes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_core.cli", "--nats", server.url, "exec", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in stderr
    return process.returncode, stdout, stderr


def test_what_follows_two_dashes_is_the_program_whatever_it_looks_like() -> None:
    options = parse(["exec", "a", "-d", "web", "-o", "json", "--", "ls", "-o", "--", "--help"])
    assert (options.devices, options.deployment, options.output) == (["a"], "web", "json")
    assert options.argv == ["ls", "-o", "--", "--help"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a",), "no program is given (give either -- PROGRAM"),
        (("a", "--"), "no program is given"),
        (("a", "--shell", "ls", "--", "ls"), "both a program and a shell line are given"),
        (("a", "-c", "main", "--", "ls"), "name it too: -d DEPLOYMENT"),
        (("a", "--timeout", "26", "--", "ls"), "timeout_s: Input should be less than or equal to"),
        (("a", "--timeout", "1.5", "--", "ls"), "'1.5' is no whole number"),
        (("a", "-l", "site=berlin", "--", "ls"), "give either device ids or a filter"),
    ],
)
def test_a_wrong_line_is_refused_without_a_link(
    fleet: Fleet, words: tuple[str, ...], said: str
) -> None:
    finished = fleet("--nats", "nats://127.0.0.1:1", "exec", *words)
    assert finished.code == 2
    assert said in finished.stderr
    assert finished.stdout == ""


def test_without_a_link_the_code_is_not_one_of_a_program(fleet: Fleet) -> None:
    assert fleet("--nats", "nats://127.0.0.1:1", "exec", "a", "--", "ls").code == 125


@pytest.mark.parametrize(
    ("code", "ours"), [(0, 0), (3, 3), (255, 255), (256, 255), (-9, 137), (-900, 255), (None, 124)]
)
def test_no_exit_code_of_a_program_is_taken_for_another(code: int | None, ours: int) -> None:
    assert exit_code_of_program(code) == ours


async def test_a_program_speaks_and_ends_as_if_it_ran_here(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = ended(3, stdout=f"no line break{HOSTILE}é", stderr="sorry\n")
    code, stdout, stderr = await run(nats_server, "kiosk-1", "-d", "web", "--", "ls", "-l")
    assert code == 3
    assert stdout == f"no line break{HOSTILE}é".encode()
    assert stderr == b"sorry\n"
    ((_, asked),) = devices.asked
    assert (asked.argv, asked.deployment, asked.timeout_s) == (["ls", "-l"], "web", 25)


async def test_a_shell_line_is_one_word(nats_server: NatsServer, devices: ExecDevices) -> None:
    code, stdout, stderr = await run(nats_server, "kiosk-1", "--shell", "ls | wc -l")
    assert (code, stdout, stderr) == (0, b"Linux\nsecond\n", b"")
    ((_, asked),) = devices.asked
    assert (asked.shell, asked.deployment, asked.container) == ("ls | wc -l", None, None)


async def test_the_deadline_and_what_was_cut_are_told(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = ended(None, stdout="x" * 100_000, truncated=True)
    code, stdout, stderr = await run(nats_server, "kiosk-1", "--timeout", "1", "--", "yes")
    assert (code, len(stdout)) == (124, 100_000)
    assert stderr.decode().splitlines() == [
        "fleet: kiosk-1: there was more output than is sent: the end of it is missing",
        "fleet: kiosk-1: the program was ended by its deadline",
    ]


async def test_a_refusal_is_one_sentence_and_125(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = refusing
    code, stdout, stderr = await run(nats_server, "kiosk-1", "--", "ls")
    assert (code, stdout) == (125, b"")
    assert stderr.startswith(b"fleet: kiosk-1: this device does not run programs for others (only")
    assert len(stderr.splitlines()) == 1


@pytest.mark.usefixtures("devices")
async def test_a_device_that_is_away_is_125_at_once(nats_server: NatsServer) -> None:
    code, stdout, stderr = await run(nats_server, "elsewhere", "--", "ls")
    assert (code, stdout) == (125, b"")
    assert b"nobody answers for it: it is offline, or its agent is too old" in stderr


async def test_as_json_it_is_a_list_with_a_stable_shape(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = ended(3, stdout=HOSTILE)
    code, stdout, _ = await run(nats_server, "kiosk-1", "-o", "json", "--", "ls")
    assert code == 3
    assert stdout.isascii()
    assert b"\x1b" not in stdout
    (record,) = json.loads(stdout)
    assert set(record) == {
        *("target", "ok", "kind", "message", "rtt_ms"),
        *("exit_code", "stdout", "stderr", "truncated"),
    }
    assert (record["stdout"], record["exit_code"]) == (HOSTILE, 3)
    code, stdout, _ = await run(nats_server, "kiosk-1", "-o", "yaml", "--", "ls")
    assert b"\x1b" not in stdout
    assert yaml.safe_load(stdout)[0]["stdout"] == HOSTILE


async def test_of_several_devices_each_line_begins_with_its_device(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    words = (*KIOSKS, "gone", "-d", "web")
    code, stdout, stderr = await run(nats_server, *words, "--", "uname")
    assert (code, stdout) == (125, b"")
    assert b"give --yes" in stderr
    assert devices.asked == []
    code, stdout, stderr = await run(nats_server, *words, "--confirm", "3", "--", "uname")
    assert code == 1
    assert sorted(stdout.decode().splitlines()) == [
        f"{device}: {line}" for device in KIOSKS for line in ("Linux", "second")
    ]
    assert b"fleet: gone: nobody answers" in stderr


async def test_a_dry_run_and_a_read_only_context_run_nothing(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    code, stdout, stderr = await run(nats_server, "kiosk-1", "--dry-run", "--", "rm", "a b")
    assert (code, stdout) == (0, b"")
    assert b"exec kiosk-1 -- rm 'a b'" in stderr
    code, _, stderr = await run(nats_server, "kiosk-1", "--read-only", "--", "ls")
    assert code == 125
    assert b"read-only" in stderr
    assert devices.asked == []


async def test_who_waits_no_longer_is_130_and_the_record_says_so(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.may_answer.clear()
    words = ("-m", "fleet_core.cli", "--nats", nats_server.url, "exec", "kiosk-1", "--", "ls")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    await eventually(lambda: devices.at_work == 1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = await process.communicate()
    assert (process.returncode, stdout, stderr) == (130, b"", b"")
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        asked = {"last_by_subj": "audit.exec"}
        stored = await api_request(connection, "STREAM.MSG.GET.audit", asked)
    assert json.loads(base64.b64decode(stored["message"]["data"]))["result"] == "cancelled"


async def test_nothing_that_a_device_sends_acts_on_a_terminal(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = ended(5, stdout=HOSTILE, stderr=f"sorry {HOSTILE}")
    words = ("-m", "fleet_core.cli", "--nats", nats_server.url, "exec", "kiosk-1", "--", "ls")
    with Terminal([sys.executable, *words], columns=120) as terminal:
        await asyncio.to_thread(terminal.wait_for, "sorry")
        assert await asyncio.to_thread(terminal.wait_exit) == 5
        shown = terminal.text().splitlines()
        assert "second line" in terminal.text()
        assert any(line.startswith("\ufffd]0;owned\ufffd\ufffd[2J\ufffd[31mred") for line in shown)
        assert b"\x1b" not in terminal.last_bytes
        assert b"\x07" not in terminal.last_bytes
        assert "\u202e".encode() not in terminal.last_bytes
