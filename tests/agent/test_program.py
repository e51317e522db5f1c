"""``fleet-agent run`` as a process: configured by a file, ended by signals, killed and back."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from fleet_core.contracts.commands import Verb, command_subject
from fleet_core.contracts.devices import is_heartbeat_of
from fleet_core.messaging import ConnectionSettings, connect, ensure_buckets
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleet_core.messaging import Connection
    from tests.support.nats_server import NatsServer

CONFIG: Final = """\
[agent]
device_id = "van-1"
runtime = "simulated"
[nats]
urls = ["{url}"]
[credentials]
type = "toml-shared"
user = "device"
password = "hush-hush"
[labels]
site = "lyon"
"""


@pytest.fixture
def config(tmp_path: Path, nats_server: NatsServer) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url=nats_server.url))
    return path


@pytest.fixture
async def heartbeats(nats_server: NatsServer) -> AsyncIterator[list[bytes]]:
    """What comes of the device's heartbeats, as they come."""
    async with await connection_to(nats_server) as connection:
        await ensure_buckets(connection)
        found: list[bytes] = []
        subject = "$KV.device-heartbeat.heartbeat.van-1"
        await connection.subscribe(subject, lambda message: found.append(message.data))
        yield found


async def connection_to(server: NatsServer) -> Connection:
    settings = ConnectionSettings((server.url,), user="device", password="hush-hush")
    return await connect(settings)


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_agent", "run", "-vv"),
        env={**environment, "FLEET_AGENT_CONFIG": str(config)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def nats_server(nats_server: NatsServer) -> NatsServer:
    """A server that asks who is there."""
    nats_server.stop()
    nats_server.arguments += ["--user", "device", "--pass", "hush-hush"]
    nats_server.start()
    return nats_server


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_at_once_and_its_log_keeps_the_password(
    config: Path, heartbeats: list[bytes], number: signal.Signals, code: int
) -> None:
    async with running(config) as process:
        await eventually(lambda: heartbeats)
        assert is_heartbeat_of(heartbeats[0], "van-1")
        process.send_signal(number)
        _, log = await asyncio.wait_for(process.communicate(), 3)
        assert process.returncode == code
        assert b"hush-hush" not in log
        assert b"Traceback" not in log


async def test_a_signal_ends_it_while_no_server_is_there(
    config: Path, nats_server: NatsServer
) -> None:
    nats_server.stop()
    async with running(config) as process:
        assert process.stderr is not None
        await asyncio.wait_for(process.stderr.readuntil(b"Connect call failed"), 5)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 3) == 0


async def test_killed_and_started_again_it_is_there_again(
    config: Path, heartbeats: list[bytes], nats_server: NatsServer
) -> None:
    async with running(config) as process:
        await eventually(lambda: heartbeats)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    heartbeats.clear()
    async with running(config), await connection_to(nats_server) as connection:
        await eventually(lambda: heartbeats)
        reply = await connection.requests.request(command_subject("van-1", Verb.PING), b"", 2)
        assert b'"device_id":"van-1"' in reply.data
