"""``fleet-agent check`` as a person sees it: its lines, its order, its exit code, its silence."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from fleet_agent.config_model import AgentConfig
from fleet_agent.device.check import as_json, as_text, run_checks
from fleet_agent.device.checks.configuration import check_configuration
from fleet_agent.device.checks.finding import Finding, Level, Subject, fail, ok
from fleet_agent.device.checks.network import Endpoint, check_dns, check_tcp, endpoints
from fleet_agent.device.threads import UnwaitedThreads
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_agent.device.machine import Machine
    from tests.support.nats_server import NatsServer

CONFIG = """\
[agent]
device_id = "van-1"
runtime = "simulated"
state_dir = "{state}"
[nats]
urls = ["{url}"]
[credentials]
type = "toml-shared"
user = "device"
password = "hush-hush"
"""


def written(folder: Path, url: str = "nats://127.0.0.1:1", mode: int = 0o600) -> Path:
    file = folder / "config.toml"
    file.write_text(CONFIG.format(url=url, state=folder / "state"))
    file.chmod(mode)
    return file


def checked(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ``fleet-agent check``."""
    environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
    return subprocess.run(
        [sys.executable, "-m", "fleet_agent", "check", *words],
        capture_output=True,
        check=False,
        env=environment,
        text=True,
        timeout=9,
    )


def test_nothing_there(tmp_path: Path) -> None:
    done = checked("--config", str(written(tmp_path, "nats://device:hush-url@127.0.0.1:1")))
    assert done.returncode == 1
    assert done.stderr == ""
    assert "hush" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok    config")
    assert "fail  tcp" in done.stdout
    assert "Connection refused  -> is the server running" in done.stdout
    assert lines[-1].startswith("skip  agent")


def test_json_says_the_same(tmp_path: Path, nats_server: NatsServer) -> None:
    done = checked("--config", str(written(tmp_path, nats_server.url)), "-o", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert not told["ok"]
    # A server without buckets: all but its operator is there.
    failed = {each["about"] for each in told["findings"] if each["level"] == "fail"}
    assert failed == {"rights"}
    assert set(told["findings"][0]) == {"level", "about", "what", "remedy"}


def test_a_wrong_configuration_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[agent]\ndevice_id = "Van 1"\n[nats]\nurls = []\nsecret = "hush"\n')
    done = checked("--config", str(file))
    assert done.returncode == 1
    assert "fail  config" in done.stdout
    assert "skip  nats" in done.stdout
    assert "state" in done.stdout
    assert "hush" not in done.stdout + done.stderr


async def test_a_frozen_server_is_no_reason_to_hang(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    nats_server.freeze()
    file = await asyncio.to_thread(written, tmp_path, nats_server.url)
    done = await asyncio.to_thread(checked, "--config", str(file))
    assert done.returncode == 1
    assert "no answer in time" in done.stdout


@pytest.mark.parametrize(
    ("mode", "level"),
    [(0o600, "ok"), (0o640, "ok"), (0o660, "warn"), (0o644, "fail"), (0o602, "fail")],
)
def test_secrets_are_closed_to_others(
    tmp_path: Path, machine: Machine, mode: int, level: str
) -> None:
    config, found = check_configuration(machine, written(tmp_path, mode=mode))
    assert config is not None
    assert [each.level.value for each in found] == ["ok", level]


def test_a_password_file_is_looked_at_too(tmp_path: Path, machine: Machine) -> None:
    file, secret = written(tmp_path), tmp_path / "registry"
    text = (
        f'{file.read_text()}[registries."r.example"]\nusername = "u"\npassword_file = "{secret}"\n'
    )
    file.write_text(text)
    _, found = check_configuration(machine, file)
    assert found[-1].level is Level.FAIL
    secret.write_text("hush")
    secret.chmod(0o644)
    _, found = check_configuration(machine, file)
    assert found[-1].remedy == f"chmod 600 {secret}"


def test_the_users_own_configuration_is_found(users_machine: Machine) -> None:
    folder = users_machine.home / ".config/fleet-agent"
    folder.mkdir(parents=True)
    written(folder)
    config, found = check_configuration(users_machine, None)
    assert config is not None
    assert str(folder) in found[0].what


def test_no_configuration(users_machine: Machine) -> None:
    config, (found,) = check_configuration(users_machine, None)
    assert config is None
    assert found.remedy == "fleet-agent install writes an example to fill in"


async def test_what_hangs_or_breaks_is_a_finding_in_its_place(machine: Machine) -> None:
    cancelled: list[str] = []

    async def hangs(_: Subject) -> list[Finding]:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append("hangs")
        return []

    async def breaks(_: Subject) -> list[Finding]:
        await asyncio.sleep(0)
        raise ZeroDivisionError("hush")

    async def works(_: Subject) -> list[Finding]:
        await asyncio.sleep(0)
        return [ok("three", "fine")]

    checks = [("one", hangs, 0.05), ("two", breaks, 1.0), ("three", works, 1.0)]
    found = await run_checks(Subject(machine, None), checks)
    assert [(each.level.value, each.about) for each in found] == [
        ("fail", "one"),
        ("fail", "two"),
        ("ok", "three"),
    ]
    assert "hush" not in repr(found)
    await eventually(lambda: cancelled)


async def test_threads_that_nobody_waits_for() -> None:
    threads = UnwaitedThreads()
    asyncio.get_running_loop().set_default_executor(threads)
    stuck, begun = threading.Event(), time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.to_thread(stuck.wait, 8)
    assert await asyncio.to_thread(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(lambda: 1 // 0)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - begun < 4
    stuck.set()


def test_foreign_text_is_inert_in_the_terminal() -> None:
    text = as_text([fail("dns", "\x1b[2Jgone\n", "look")])
    assert "\x1b" not in text
    assert text.count("\n") == 1
    assert json.loads(as_json([ok("dns", "\x1b[2J")]))["ok"]


def test_endpoints_are_without_credentials() -> None:
    urls = ["nats://u:p@a.example", "tls://[::1]:4443", "nats://b:99999"]
    found = endpoints(urls)
    assert found == [Endpoint("a.example", 4222), Endpoint("::1", 4443), Endpoint("b", 0)]
    assert [str(each) for each in found] == ["a.example:4222", "[::1]:4443", "b:0"]


async def test_names_and_ports(machine: Machine, nats_server: NatsServer) -> None:
    def reaching(*urls: str) -> Subject:
        tree = {"agent": {"device_id": "van-1"}, "nats": {"urls": list(urls)}}
        return Subject(machine, AgentConfig.model_validate(tree))

    subject = reaching("nats://localhost:1", "nats://no.such.host.invalid", nats_server.url)
    names = [each.level.value for each in await check_dns(subject)]
    assert names == ["ok", "warn", "ok"]
    ports = await check_tcp(subject)
    assert [each.level.value for each in ports] == ["warn", "warn", "ok"]
    assert "Connection refused" in ports[0].what
    (alone,) = await check_tcp(reaching("nats://127.0.0.1:1"))
    assert alone.level is Level.FAIL
