"""One agent as a whole process: ``python -m tests.bench agent [--seconds N]``.

Timed from the start of the process to the arrival of its first heartbeat at another client of the
same server; its memory and its processor time are read while it holds a deployment and idles.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    desired_key,
    heartbeat_key,
    manifest_key,
    state_key,
)
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import Score, spec_hash
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.messaging import (
    Connection,
    ConnectionSettings,
    KvBucket,
    Message,
    connect,
    ensure_buckets,
)
from tests.support.nats_server import NatsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

DEVICE: Final = "bench-1"
DEPLOYMENT: Final = "web"
STARTS: Final = 7
DEADLINE_S: Final = 20.0
HEARTBEAT_BUDGET_S: Final = 0.6
RSS_BUDGET_MB: Final = 60.0
IDLE_BUDGET_PERCENT: Final = 0.5
_SCORE: Final = {
    "type": "PodmanV0",
    "data": {
        "init_containers": [{"name": "migrate", "image": "registry.example/shop/migrate:1.4"}],
        "services": [{"name": "web", "image": "registry.example/shop/web:1.4"}],
    },
}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench agent")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it is watched idle")
    parser.add_argument("--starts", type=int, default=STARTS, help="how often it is started")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        try:
            asyncio.run(measure(server.url, options.starts, options.seconds))
        finally:
            server.stop()


async def measure(url: str, starts: int, seconds: float) -> None:
    """Start agents one after another, then watch one."""
    async with await connect(ConnectionSettings((url,), name="bench")) as connection:
        await ensure_buckets(connection)
        took_s = [await first_heartbeat_s(connection, url) for _ in range(starts)]
        show("start of the process to first heartbeat, median", statistics.median(took_s), "s")
        show("  the slowest", max(took_s), "s", HEARTBEAT_BUDGET_S)
        await order(connection)
        async with agent(url) as process:
            await settled(connection)
            watched = psutil.Process(process.pid)
            await asyncio.sleep(2)  # what the start put off is done by then
            before, since = watched.cpu_times(), time.monotonic()
            await asyncio.sleep(seconds)
            after, spent_s = watched.cpu_times(), time.monotonic() - since
            busy_s = after.user + after.system - before.user - before.system
            show("memory (RSS), one deployment running", rss_mb(watched), "MB", RSS_BUDGET_MB)
            show(f"idle, over {spent_s:.0f} s", 100 * busy_s / spent_s, "%", IDLE_BUDGET_PERCENT)


@contextlib.asynccontextmanager
async def agent(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an agent as its configuration in the environment says, and end it."""
    environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
    environment |= {
        "FLEET_AGENT_DEVICE_ID": DEVICE,
        "FLEET_AGENT_RUNTIME": "simulated",
        "FLEET_AGENT_NATS_URL": url,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_agent", "run"), env=environment
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def first_heartbeat_s(connection: Connection, url: str) -> float:
    """Return the seconds from the start of an agent's process to its first heartbeat."""
    arrived = asyncio.Event()

    def take(_: Message) -> None:
        arrived.set()

    subject = DEVICE_HEARTBEAT.subject(heartbeat_key(DEVICE))
    subscription = await connection.subscribe(subject, take)
    try:
        started = time.perf_counter()
        async with agent(url):
            await asyncio.wait_for(arrived.wait(), DEADLINE_S)
            return time.perf_counter() - started
    finally:
        await subscription.unsubscribe()


async def order(connection: Connection) -> None:
    """Have the device run a deployment, as the operator does."""
    score = decode(Score, json.dumps(_SCORE).encode())
    entries = KvBucket(connection, DESIRED_STATE.name)
    await entries.put(desired_key(DEVICE, DEPLOYMENT), encode(score))
    entry = ManifestEntry(generation=1, spec_hash=spec_hash(score))
    manifest = DeviceManifest(generation=1, deployments={DEPLOYMENT: entry})
    await KvBucket(connection, DEVICE_MANIFEST.name).put(manifest_key(DEVICE), encode(manifest))


async def settled(connection: Connection) -> None:
    """Return when the device tells that the deployment runs."""
    states = KvBucket(connection, DEVICE_STATE.name)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            stored = await states.get(state_key(DEVICE, DEPLOYMENT))
            if stored and decode(DeploymentState, stored.value).phase is Phase.RUNNING:
                return
            await asyncio.sleep(0.05)


def rss_mb(process: psutil.Process) -> float:
    """Return the memory that the process holds, in MB."""
    return float(process.memory_info().rss) / 1e6


def show(what: str, figure: float, unit: str, budget: float | None = None) -> None:
    """Print one figure beside what it may be."""
    against = "" if budget is None else f"   (budget {budget:g} {unit}: {verdict(figure, budget)})"
    print(f"{what:50} {figure:8.3f} {unit}{against}", flush=True)


def verdict(figure: float, budget: float) -> str:
    """Tell whether the figure keeps to its budget."""
    return "kept" if figure < budget else "MISSED"
