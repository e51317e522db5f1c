"""The operator on a Kubernetes API server: ``python -m tests.bench cluster [--devices N]``.

Against a real API server and a real nats-server, with the operator in a process of its own:

- a cold start with N Device resources: until the operator has read everything and converged;
- a Deployment that matches all devices: until the last entry and the last manifest are stored;
- until the status of the resource tells the last device's report;
- steady state, 350 heartbeats and 50 state changes a second: CPU and memory of the operator.

It needs what the tests of Kubernetes need; see the README.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet_core.cluster import paths
from fleet_core.cluster.client import ClusterClient, Patch
from fleet_core.cluster.settings import ClusterSettings
from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    heartbeat_key,
    info_key,
    state_key,
)
from fleet_core.contracts.devices import DeviceInfo, Inventory, encode_heartbeat
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.messaging import (
    Connection,
    ConnectionSettings,
    KvFeed,
    LatestWriter,
    connect,
    ensure_buckets,
)
from fleet_core.operator.kubernetes.devices import Shown, device_object, spec_of, status_object
from fleet_core.operator.kubernetes.reading import FIELD_MANAGER
from fleet_core.operator.resource_store import Presence
from fleet_core.operator.wants import Want
from tests.bench.operator import (
    DEADLINE_S,
    Counter,
    converged,
    operator_process,
    until,
)
from tests.operator.fleets import deployment, moment
from tests.support import kubernetes
from tests.support.nats_server import NatsServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

HEARTBEATS_PER_S = 350
CHANGES_PER_S = 50
_AT_ONCE = 16
_TICK_S = 0.1


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench cluster")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of the steady state")
    wanted = parser.parse_args(arguments)
    reason = kubernetes.why_not()
    if reason:
        print(f"skipped: {reason}")
        return
    machine = kubernetes.KubernetesMachine()
    try:
        machine.up()
        asyncio.run(_measure(machine.kubeconfig, wanted.devices, wanted.seconds))
    finally:
        machine.down()


async def _measure(kubeconfig: str, devices: int, seconds: float) -> None:
    ids = [f"bench-{number:06}" for number in range(devices)]
    with tempfile.TemporaryDirectory() as directory:
        server = NatsServer(Path(directory))
        server.start()
        try:
            async with (
                await connect(ConnectionSettings((server.url,))) as connection,
                await ClusterClient.open(ClusterSettings(kubeconfig)) as client,
            ):
                await ensure_buckets(connection)
                writer = LatestWriter(connection)
                writing = asyncio.create_task(writer.run())
                await _prepare(client, writer, ids)
                await _measure_operator(
                    connection, client, writer, ids, (server.url, kubeconfig, seconds)
                )
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        finally:
            server.stop()


def _info(device: str) -> DeviceInfo:
    inventory = Inventory(arch="arm64", model="Pi 5", cpus=4, os="Debian 13")
    labels = {"site": device[-2:], "ring": device[-1]}
    return DeviceInfo(device_id=device, labels=labels, agent_version="1.0.0", inventory=inventory)


async def _prepare(client: ClusterClient, writer: LatestWriter, ids: Sequence[str]) -> None:
    """Have all devices tell of themselves, and the cluster show them as an operator would."""
    started, at_once = time.perf_counter(), asyncio.Semaphore(_AT_ONCE)

    async def show(device: str) -> None:
        info, path = _info(device), paths.device(device)
        body = device_object(device, info.labels, spec_of(info))
        status = status_object(device, Presence(True, time.time()), Shown(), time.time())
        async with at_once:
            query = {"fieldManager": FIELD_MANAGER}
            await client.patch(path, body, Patch.APPLY, query)
            query = {"fieldManager": f"{FIELD_MANAGER}-status"}
            await client.patch(paths.status_of(path), status, Patch.APPLY, query)

    await asyncio.gather(*map(show, ids))
    print(f"made {len(ids):,} Device resources in {time.perf_counter() - started:.0f} s")
    for device in ids:
        writer.offer(DEVICE_INFO.name, info_key(device), encode(_info(device)))
        _beat(writer, device)
    await writer.drained(DEADLINE_S)


def _beat(writer: LatestWriter, device: str) -> None:
    beat = encode_heartbeat(device, moment(time.time()))
    writer.offer(DEVICE_HEARTBEAT.name, heartbeat_key(device), beat)


async def _measure_operator(
    connection: Connection,
    client: ClusterClient,
    writer: LatestWriter,
    ids: Sequence[str],
    where: tuple[str, str, float],
) -> None:
    url, kubeconfig, seconds = where
    shown = {name: Counter() for name in (DESIRED_STATE.name, DEVICE_MANIFEST.name)}
    feeds = [
        asyncio.create_task(KvFeed(connection, name, counter).run())
        for name, counter in shown.items()
    ]
    started = time.perf_counter()
    async with operator_process(url, "--kubeconfig", kubeconfig) as process:
        await converged(connection)
        print(
            f"cold start, {len(ids):,} Device resources: converged "
            f"{time.perf_counter() - started:.2f} s after its start, "
            f"{process.memory_info().rss / 1e6:.0f} MB RSS"
        )
        await asyncio.sleep(15)  # Until kopf has read all of them, too.
        resource = deployment(image="registry.example/web:1")
        started = time.perf_counter()
        await client.create(paths.deployments("default"), _manifest(resource))
        await until(lambda: len(shown[DEVICE_MANIFEST.name].keys) == len(ids))
        assert len(shown[DESIRED_STATE.name].keys) == len(ids)
        print(f"apply: all written after {time.perf_counter() - started:.2f} s")

        for device in ids:
            _tell(writer, device, Want.of(resource).entry.spec_hash)
        await writer.drained(DEADLINE_S)
        started = time.perf_counter()
        while await _succeeded(client, resource.metadata.name) != len(ids):
            assert time.perf_counter() - started < DEADLINE_S
        print(f"status: {time.perf_counter() - started:.2f} s after the last report")
        await _steady(writer, ids, process, seconds, Want.of(resource).entry.spec_hash)
    for feed in feeds:
        feed.cancel()
    await asyncio.gather(*feeds, return_exceptions=True)


def _tell(writer: LatestWriter, device: str, spec_hash: str, restarts: int = 0) -> None:
    state = DeploymentState(
        device_id=device,
        deployment="web",
        phase=Phase.PENDING if restarts % 2 else Phase.RUNNING,
        last_event_at=moment(time.time()),
        spec_hash=spec_hash,
        generation=1,
    )
    writer.offer(DEVICE_STATE.name, state_key(device, "web"), encode(state))


async def _succeeded(client: ClusterClient, name: str) -> int:
    found = await client.get(paths.deployment("default", name)) or {}
    return int(found.get("status", {}).get("aggregate", {}).get("succeeded", 0))


async def _steady(
    writer: LatestWriter,
    ids: Sequence[str],
    process: psutil.Process,
    seconds: float,
    spec_hash: str,
) -> None:
    before, started = process.cpu_times(), time.perf_counter()
    beats = changes = 0
    while (passed_s := time.perf_counter() - started) < seconds:
        while beats < passed_s * HEARTBEATS_PER_S:
            _beat(writer, ids[beats % len(ids)])
            beats += 1
        while changes < passed_s * CHANGES_PER_S:
            _tell(writer, ids[changes // 2 * 7 % len(ids)], spec_hash, changes + 1)
            changes += 1
        await asyncio.sleep(_TICK_S)
    after = process.cpu_times()
    used_s = after.user + after.system - before.user - before.system
    print(
        f"steady, {HEARTBEATS_PER_S} heartbeats and {CHANGES_PER_S} changes a second: "
        f"{100 * used_s / (time.perf_counter() - started):.1f} % of a core, "
        f"{process.memory_info().rss / 1e6:.0f} MB RSS"
    )


def _manifest(resource: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(resource.model_dump_json(by_alias=True, exclude_none=True))
    for name in ("generation", "creationTimestamp"):
        value["metadata"].pop(name, None)
    return value
