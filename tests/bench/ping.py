"""Bulk ping: ``python -m tests.bench ping [--devices N]``, and ``fleet ping`` as a whole process.

The devices answer from another process, each by a command server of the agent's own kind, over a
few shared connections; what is timed is the operation that the terminal UI and ``fleet`` run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import PingReply, Verb
from fleet_core.messaging import CommandServer, ConnectionSettings, Message, connect
from fleet_core.operations.contexts import Context
from fleet_core.operations.live import LiveFleet
from fleet_core.operations.plans import Request
from fleet_core.operations.registry import operation
from tests.support.nats_server import NatsServer

if TYPE_CHECKING:
    from collections.abc import Sequence

LINKS: Final = 10
ROUNDS: Final = 5
PROCESSES: Final = 5


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench ping")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    if wanted.serve:
        asyncio.run(serve(wanted.serve, wanted.devices))
        return
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        command = [sys.executable, "-m", "tests.bench", "ping", "--serve", server.url]
        devices = subprocess.Popen(
            [*command, "--devices", str(wanted.devices)], stdout=subprocess.PIPE, text=True
        )
        try:
            wait_for_devices(devices)
            asyncio.run(ping_all(server.url, wanted.devices))
            ping_by_process(server.url)
        finally:
            devices.terminate()
            devices.wait()
            server.stop()


def names(count: int) -> list[str]:
    """Return the ids of the devices."""
    return [f"bench-{number:06}" for number in range(count)]


def wait_for_devices(process: subprocess.Popen[str]) -> None:
    """Return when all devices answer."""
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "ready\n":
        if not line:
            raise SystemExit("the devices did not start")


async def serve(url: str, count: int) -> None:
    """Be the devices, until terminated."""

    def handler(device: str) -> object:
        async def ping(_payload: bytes, _message: Message) -> bytes:
            return encode(PingReply(device_id=device, agent_version="1.0.0", uptime_s=1))

        return ping

    async with AsyncExitStack() as stack:
        settings = ConnectionSettings((url,))
        links = [await stack.enter_async_context(await connect(settings)) for _ in range(LINKS)]
        async with asyncio.TaskGroup() as group:
            for number, device in enumerate(names(count)):
                server = CommandServer(links[number % LINKS], device)
                server.handle(Verb.PING, handler(device))  # type: ignore[arg-type]  # a closure
                group.create_task(server.run())
            await asyncio.sleep(0)
            for link in links:
                await link.requests.request("$JS.API.INFO", b"", 10.0)
            print("ready", flush=True)


async def ping_all(url: str, count: int) -> None:
    """Ping all devices, a few times."""
    async with await LiveFleet.open(Context.of_url(url), buckets=()) as fleet:
        ping = operation("ping")
        plan = await ping.plan(fleet, Request(devices=tuple(names(count)), timeout_s=10.0))
        times_s = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            async with aclosing(ping.run(fleet, plan)) as results:
                answered = sum([result.ok async for result in results])
            times_s.append(time.perf_counter() - started)
            assert answered == count, f"{answered} of {count} answered"
        print(f"ping of {count:,} devices: {statistics.median(times_s):.2f} s", end="")
        print(f" (median of {ROUNDS}, best {min(times_s):.2f} s)")


def ping_by_process(url: str) -> None:
    """Run ``fleet ping`` of one device as a person does."""
    environment = {**os.environ, "FLEET_NATS_URL": url}
    times_s = []
    for _ in range(PROCESSES):
        started = time.perf_counter()
        command = [sys.executable, "-m", "fleet_core.cli", "ping", names(1)[0]]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        times_s.append(time.perf_counter() - started)
    print(f"`fleet ping` of one device, a whole process: {statistics.median(times_s):.2f} s")
