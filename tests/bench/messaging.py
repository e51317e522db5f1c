"""The NATS seam: snapshot and following of a bucket, acked writes, scatter, many devices."""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_core.contracts.base import encode
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
from fleet_core.contracts.commands import Verb, command_subject
from fleet_core.contracts.containers import Service
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import PodmanV0, Score, payload_hash
from fleet_core.messaging import (
    CommandServer,
    Connection,
    ConnectionSettings,
    DesiredReader,
    KvFeed,
    LatestWriter,
    Message,
    Reply,
    connect,
    ensure_buckets,
)
from tests.support.nats_server import NatsServer
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_VALUE = b'{"at":"2026-01-01T00:00:00Z","device_id":"device-000000"}'
_CONNECTIONS = 8


class Counting:
    """A handler that costs as little as one can."""

    def __init__(self) -> None:
        self.puts = 0
        self.synced = asyncio.Event()

    def on_put(self, _key: str, _value: bytes, _revision: int, _received_at_s: float) -> None:
        self.puts += 1

    def on_delete(self, _key: str, _revision: int) -> None:
        self.puts -= 1

    def on_synced(self) -> None:
        self.synced.set()

    def on_stale(self, reason: str) -> None:
        print(f"  stale: {reason}")


class Wanted:
    """What one device was told to run."""

    def __init__(self) -> None:
        self.scores = 0

    def on_manifest(self, manifest: DeviceManifest) -> None:
        """Nothing is to be done with it here."""

    def on_score(self, _deployment: str, _entry: ManifestEntry, _score: Score) -> None:
        self.scores += 1

    def on_refused(self, _deployment: str, _entry: ManifestEntry, error: Exception) -> None:
        raise error


def figure(name: str, seconds: float, count: int) -> None:
    """Print one figure."""
    print(f"  {name:44} {seconds:7.3f} s {count / seconds:12,.0f}/s")


def rss_mb() -> float:
    """Return this process's resident memory."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6


@asynccontextmanager
async def served() -> AsyncIterator[ConnectionSettings]:
    """Run a server with the buckets on it."""
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        settings = ConnectionSettings((server.url,))
        try:
            async with await connect(settings) as connection:
                await ensure_buckets(connection)
            yield settings
        finally:
            server.stop()


async def snapshot(settings: ConnectionSettings, count: int) -> None:
    """Read a bucket of ``count`` keys, then follow it."""
    async with await connect(settings) as connection:
        writer = LatestWriter(connection)
        running = asyncio.create_task(writer.run())
        started = time.perf_counter()
        for number in range(count):
            writer.offer(DEVICE_HEARTBEAT.name, heartbeat_key(f"device-{number:06}"), _VALUE)
        await writer.drained(300)
        figure(f"{count:,} acked puts by LatestWriter", time.perf_counter() - started, count)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with await connect(settings) as connection:
        handler = Counting()
        cpu = time.process_time()
        started = time.perf_counter()
        running = asyncio.create_task(KvFeed(connection, DEVICE_HEARTBEAT.name, handler).run())
        await handler.synced.wait()
        figure(f"{count:,} keys snapshot", time.perf_counter() - started, count)
        figure("  own CPU", time.process_time() - cpu, count)
        assert handler.puts == count
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


_PUBLISHER = """
import asyncio, sys, time
from fleet_core.messaging import ConnectionSettings, connect
async def main(url, rate, seconds):
    async with await connect(ConnectionSettings((url,))) as c:
        started = time.perf_counter()
        sent = 0
        while sent < rate * seconds:
            due = int((time.perf_counter() - started) * rate)
            for n in range(sent, due):
                await c.publish(f"$KV.device-heartbeat.heartbeat.device-{n % 10000:06}", b"x" * 60)
            sent = max(sent, due)
            await asyncio.sleep(0.02)
asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
"""


async def follow(settings: ConnectionSettings, rate: int, seconds: float) -> None:
    """Follow heartbeats that another process sends."""
    async with await connect(settings) as connection:
        handler = Counting()
        running = asyncio.create_task(KvFeed(connection, DEVICE_HEARTBEAT.name, handler).run())
        await handler.synced.wait()
        publisher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PUBLISHER, settings.servers[0], str(rate), str(seconds))
        )
        first = handler.puts
        await eventually(lambda: handler.puts > first, timeout_s=30)
        before, cpu, started = handler.puts, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds * 0.8)
        share = (time.process_time() - cpu) / (time.perf_counter() - started)
        seen = (handler.puts - before) / (time.perf_counter() - started)
        print(f"  following {seen:,.0f} msgs/s costs {share:.1%} of a core")
        await publisher.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def fleet(settings: ConnectionSettings, count: int) -> None:
    """Serve ``count`` devices from this process: scatter a ping, then apply a deployment."""
    connections = [await connect(settings) for _ in range(_CONNECTIONS)]
    asker = await connect(settings)
    before = rss_mb()
    wanted = [Wanted() for _ in range(count)]

    async def pong(_payload: bytes, _message: Message) -> bytes:
        return b'{"device_id":"device","agent_version":"0.1.0","uptime_s":1}'

    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(count):
            connection = connections[number % _CONNECTIONS]
            server = CommandServer(connection, f"d-{number}")
            server.handle(Verb.PING, pong)
            tasks.append(group.create_task(server.run()))
            reader = DesiredReader(connection, f"d-{number}", wanted[number])
            tasks.append(group.create_task(reader.run()))
        started = time.perf_counter()
        await scatter(asker, count, "first ping (devices start meanwhile)")
        await asyncio.sleep(max(0.0, 3 - (time.perf_counter() - started)))
        print(f"  {(rss_mb() - before) * 1000 / count:.1f} kB a device, {count:,} devices")
        await scatter(asker, count, "ping")
        await scatter(asker, count, "ping")
        await apply(asker, wanted)
        for task in tasks:
            task.cancel()
    for connection in (*connections, asker):
        await connection.close()


async def scatter(asker: Connection, count: int, name: str) -> None:
    """Ping all devices at once."""
    pings = [(f"d-{n}", command_subject(f"d-{n}", Verb.PING), b"") for n in range(count)]
    started = time.perf_counter()
    answered = 0
    async for _, reply in asker.requests.scatter(pings, timeout_s=5):
        answered += isinstance(reply, Reply)
    figure(f"scatter: {name}, {answered:,} answered", time.perf_counter() - started, count)


async def apply(operator: Connection, wanted: list[Wanted]) -> None:
    """Write an entry and a manifest for each device, as the operator does."""
    score = Score(type="PodmanV0", data=PodmanV0(services=[Service(name="web", image="web:1")]))
    payload = encode(score)
    entry = ManifestEntry(generation=1, spec_hash=payload_hash(payload))
    manifest = encode(DeviceManifest(generation=1, deployments={"web": entry}))
    writer = LatestWriter(operator)
    running = asyncio.create_task(writer.run())
    cpu, started = time.process_time(), time.perf_counter()
    for number in range(len(wanted)):
        writer.offer(DESIRED_STATE.name, desired_key(f"d-{number}", "web"), payload)
    await writer.drained(60)
    for number in range(len(wanted)):
        writer.offer(DEVICE_MANIFEST.name, manifest_key(f"d-{number}"), manifest)
    await writer.drained(60)
    figure("apply: entries and manifests acked", time.perf_counter() - started, len(wanted))
    await eventually(lambda: all(each.scores for each in wanted), timeout_s=60)
    figure("apply: every device has its score", time.perf_counter() - started, len(wanted))
    figure("apply: CPU of operator and devices", time.process_time() - cpu, len(wanted))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def state_writes(settings: ConnectionSettings, count: int) -> None:
    """Write states as devices do: 600 bytes each."""
    async with await connect(settings) as connection:
        writer = LatestWriter(connection)
        running = asyncio.create_task(writer.run())
        started = time.perf_counter()
        for number in range(count):
            writer.offer(DEVICE_STATE.name, state_key(f"d-{number}", "web"), b"x" * 600)
        await writer.drained(300)
        figure(f"{count:,} acked puts of 600 bytes", time.perf_counter() - started, count)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def import_time() -> None:
    """Time the import in a fresh process."""
    program = (
        "import time;t=time.perf_counter();import fleet_core.messaging;print(time.perf_counter()-t)"
    )
    times = [
        float(
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        )
        for _ in range(3)
    ]
    print(f"  import fleet_core.messaging {min(times) * 1000:.0f} ms")


async def run(options: argparse.Namespace) -> None:
    """Take every figure, each on a server of its own."""
    async with served() as settings:
        await snapshot(settings, options.keys)
        await follow(settings, options.rate, options.seconds)
    async with served() as settings:
        await state_writes(settings, options.keys)
    async with served() as settings:
        await fleet(settings, options.devices)


def main(argv: list[str]) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench messaging", description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=3_500, help="heartbeats a second to follow")
    parser.add_argument("--seconds", type=float, default=5.0)
    import_time()
    asyncio.run(run(parser.parse_args(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
