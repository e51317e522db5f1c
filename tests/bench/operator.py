"""The operator under load: ``python -m tests.bench operator [--devices N]``.

Against a real nats-server in a process of its own, with the operator in another:

- a Deployment that matches all N devices: until the last entry and the last manifest are stored;
- until the status tells the last device's report;
- a cold start: until an operator has read everything and converged;
- the server's cost of one put of desired state, with 1,000 against 20,000 subscribed agents;
- the operator's own cost of a change, with 10 against 1,000 Deployments that it does not touch.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    heartbeat_key,
    info_key,
    resource_key,
    state_key,
)
from fleet_core.contracts.devices import DeviceInfo, encode_heartbeat
from fleet_core.contracts.resources import DeploymentStatus
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.errors import FleetError
from fleet_core.messaging import (
    Connection,
    ConnectionSettings,
    KvBucket,
    KvFeed,
    LatestWriter,
    connect,
    ensure_buckets,
)
from fleet_core.operator.fleet import Fleet
from fleet_core.operator.service import READY_SUBJECT
from fleet_core.operator.wants import Want
from tests.operator.fleets import deployment, moment, state
from tests.support.nats_server import NatsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

DEADLINE_S = 120.0
_PUTS = 2_000


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench operator")
    parser.add_argument("--devices", type=int, default=10_000)
    wanted = parser.parse_args(arguments)
    asyncio.run(measure_operator(wanted.devices))
    asyncio.run(measure_puts())
    measure_growth(wanted.devices)


class Counter:
    """Counts what a feed shows."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.newest: bytes = b""
        self.synced = False

    def on_put(self, key: str, value: bytes, _revision: int, _received_at_s: float) -> None:
        self.keys.add(key)
        self.newest = value

    def on_delete(self, key: str, _revision: int) -> None:
        self.keys.discard(key)

    def on_synced(self) -> None:
        self.synced = True

    def on_stale(self, _reason: str) -> None:
        self.synced = False


@contextlib.asynccontextmanager
async def operator_process(url: str, *options: str) -> AsyncIterator[psutil.Process]:
    """Run ``fleet operator`` in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_core.cli", "operator", "--nats", url, *options),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def until(condition: Callable[[], object]) -> float:
    """Return the seconds until a condition holds."""
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > DEADLINE_S:
            raise TimeoutError("the operator did not get there")
        await asyncio.sleep(0.005)
    return time.perf_counter() - started


async def converged(connection: Connection) -> None:
    """Return when the operator answers that it is."""
    started = time.perf_counter()
    while time.perf_counter() - started < DEADLINE_S:
        with contextlib.suppress(FleetError):
            reply = await connection.requests.request(READY_SUBJECT, b"", 0.5)
            if b'"converged":true' in reply.data:
                return
        await asyncio.sleep(0.01)
    raise TimeoutError("the operator did not converge")


async def measure_operator(devices: int) -> None:
    """Apply one Deployment to all devices, and let all of them report."""
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        try:
            async with await connect(ConnectionSettings((server.url,))) as connection:
                await _measure_operator(connection, server.url, devices)
        finally:
            server.stop()


async def _measure_operator(connection: Connection, url: str, devices: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        process = await stack.enter_async_context(operator_process(url))
        await converged(connection)
        shown = {
            name: Counter()
            for name in (DESIRED_STATE.name, DEVICE_MANIFEST.name, DEPLOYMENT_STATUS.name)
        }
        writer = LatestWriter(connection)
        tasks = [asyncio.create_task(writer.run())]
        tasks += [
            asyncio.create_task(KvFeed(connection, name, counter).run())
            for name, counter in shown.items()
        ]
        await until(lambda: all(counter.synced for counter in shown.values()))
        ids = [f"bench-{number:06}" for number in range(devices)]
        for device in ids:
            info = DeviceInfo(device_id=device, labels={"site": device[-2:]}, agent_version="1.0.0")
            writer.offer(DEVICE_INFO.name, info_key(device), encode(info))
            beat = encode_heartbeat(device, moment(time.time()))
            writer.offer(DEVICE_HEARTBEAT.name, heartbeat_key(device), beat)
        await writer.drained(DEADLINE_S)
        await asyncio.sleep(1.0)
        resource = deployment(image="registry.example/web:1")
        key = resource_key(*resource.key)
        started = time.perf_counter()
        await KvBucket(connection, DEPLOYMENTS.name).put(key, encode(resource))
        await until(lambda: len(shown[DEVICE_MANIFEST.name].keys) == devices)
        assert len(shown[DESIRED_STATE.name].keys) == devices
        print(
            f"apply, {devices:,} devices: all written after {time.perf_counter() - started:.2f} s"
        )
        spec_hash = Want.of(resource).entry.spec_hash
        for device in ids:
            state = DeploymentState(
                device_id=device,
                deployment="web",
                phase=Phase.RUNNING,
                last_event_at=moment(time.time()),
                spec_hash=spec_hash,
                generation=1,
            )
            writer.offer(DEVICE_STATE.name, state_key(device, "web"), encode(state))
        await writer.drained(DEADLINE_S)
        took_s = await until(lambda: _succeeded(shown[DEPLOYMENT_STATUS.name]) == devices)
        print(f"status: tells all {devices:,} devices {took_s:.2f} s after the last report")
        print(f"operator: {process.memory_info().rss / 1e6:.0f} MB RSS")
        await stack.aclose()
        started = time.perf_counter()
        async with operator_process(url):
            await converged(connection)
            print(f"cold start: converged {time.perf_counter() - started:.2f} s after its start")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _succeeded(counter: Counter) -> int:
    if not counter.newest:
        return 0
    return decode(DeploymentStatus, counter.newest).aggregate.succeeded


async def measure_puts() -> None:
    """Measure what one put of desired state costs the server, by how many agents are subscribed."""
    costs = {}
    for agents in (1_000, 20_000):
        with tempfile.TemporaryDirectory() as directory:
            server = NatsServer(Path(directory))
            server.start()
            try:
                costs[agents] = await _cost_of_put(server, agents)
            finally:
                server.stop()
        print(
            f"put of desired state, {agents:>6,} agents: {costs[agents] * 1e6:.0f} µs of server CPU"
        )
    print(f"ratio: {costs[20_000] / costs[1_000]:.2f}")


async def _cost_of_put(server: NatsServer, agents: int) -> float:
    """Return the seconds of CPU that the server spends on one put."""
    settings = ConnectionSettings((server.url,))
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    async with contextlib.AsyncExitStack() as stack:
        links = [await stack.enter_async_context(await connect(settings)) for _ in range(20)]
        await ensure_buckets(links[0])
        for number in range(agents):
            link = links[number % len(links)]
            for subject in (
                f"$KV.desired-state.bench-{number}.>",
                f"$KV.device-manifest.bench-{number}",
            ):
                await link.subscribe(subject, lambda _message: None)
        for link in links:
            await link.requests.request("$JS.API.INFO", b"", 10.0)
        bucket = KvBucket(links[0], DESIRED_STATE.name)
        payload = Want.of(deployment()).score
        before = process.cpu_times()
        for start in range(0, _PUTS, 200):
            await asyncio.gather(
                *(
                    bucket.put(f"bench-{number * 7 % agents}.web", payload)
                    for number in range(start, start + 200)
                )
            )
        after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / _PUTS


def measure_growth(devices: int) -> None:
    """Measure what a change costs, by how many Deployments there are that it does not touch."""
    costs = {count: _costs_of_changes(devices, count) for count in (10, 1_000)}
    for what in costs[10]:
        few, many = costs[10][what], costs[1_000][what]
        print(
            f"{what}: {few * 1e6:.0f} µs with 10 other Deployments, "
            f"{many * 1e6:.0f} µs with 1,000: ratio {many / few:.2f}"
        )


def _costs_of_changes(devices: int, others: int) -> dict[str, float]:
    """Return the seconds of each kind of change."""
    fleet, now_s = Fleet(30), time.time()
    fleet.tick(now_s)
    for number in range(devices):
        device = f"bench-{number:06}"
        fleet.set_labels(device, {"site": f"s{number % 1_000}", "ring": str(number % 5)})
        fleet.heard(device, now_s, live=True)
    for number in range(others):
        fleet.set_resource(deployment(f"other-{number}", labels={"site": f"s{number + 1}"}))
    resources = [
        deployment(labels={"site": "s0"}, image=f"registry.example/web:{version}")
        for version in range(2)
    ]
    fleet.set_resource(resources[0])
    touched = [f"bench-{number:06}" for number in range(0, devices, 1_000)]
    spec_hash = Want.of(resources[0]).entry.spec_hash
    phases = (Phase.RUNNING, Phase.PENDING)

    def tell(turn: int) -> None:
        device = touched[turn % len(touched)]
        phase = phases[turn // len(touched) % 2]
        at_s = now_s + turn
        fleet.take_state(state(device, "web", spec_hash, phase=phase, at_s=at_s))

    def relabel(turn: int) -> None:
        device = touched[turn % len(touched)]
        fleet.set_labels(device, {"site": "s0", "ring": str(turn)})

    def apply(turn: int) -> None:
        for device in fleet.set_resource(resources[turn % 2]):
            fleet.wanted_of(device)

    changes = {"a state that is reported": tell, "a label": relabel, "a new version": apply}
    return {what: _seconds_of(change) for what, change in changes.items()}


def _seconds_of(change: Callable[[int], None], turns: int = 2_000) -> float:
    started = time.perf_counter()
    for turn in range(turns):
        change(turn)
    return (time.perf_counter() - started) / turns
