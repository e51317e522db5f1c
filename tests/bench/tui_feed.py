"""A fleet in numbers only, for `tests.bench.tui`: fills the buckets, then goes on with heartbeats.

Run as ``python -m tests.bench.tui_feed URL DEVICES HEARTBEATS_PER_S``; it says ``loaded`` once the
server holds everything, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import (
    DEPLOYMENT_STATUS,
    DEPLOYMENTS,
    DEVICE_HEARTBEAT,
    DEVICE_INFO,
    DEVICE_MANIFEST,
    DEVICE_STATE,
    BucketSpec,
    heartbeat_key,
    info_key,
    manifest_key,
    state_key,
)
from fleet_core.contracts.containers import InitContainer, Service
from fleet_core.contracts.devices import (
    DeviceInfo,
    DeviceManifest,
    Inventory,
    ManifestEntry,
    encode_heartbeat,
)
from fleet_core.contracts.resources import (
    Aggregate,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    Metadata,
)
from fleet_core.contracts.scores import PodmanV0, Score, spec_hash
from fleet_core.contracts.selectors import LabelSelector
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    DeploymentState,
    Failure,
    Phase,
    RunningState,
    TerminatedState,
)
from fleet_core.messaging import (
    Connection,
    ConnectionSettings,
    api_request,
    connect,
    ensure_buckets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SITES = ("berlin", "paris", "lyon", "oslo")
NAMES = ("web", "edge-cache", "telemetry")
FAILING_EVERY = 50
"""One device in fifty has a deployment whose init container fails."""
_STARTED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_BEAT_S = 0.02
_PLACEHOLDER = "device-placeholder"


@dataclass(frozen=True, slots=True)
class Put:
    """One value for a bucket."""

    bucket: BucketSpec
    key: str
    value: bytes


def device_ids(count: int) -> list[str]:
    """Return the ids of all devices."""
    return [f"{SITES[number % 4]}-kiosk-{number:06}" for number in range(count)]


def deployments() -> list[Deployment]:
    """Return three deployments, for every device."""
    return [
        Deployment(
            metadata=Metadata(name=name, generation=1, creation_timestamp=_STARTED),
            spec=DeploymentSpec(
                target_selector=LabelSelector(),
                score=Score(
                    type="PodmanV0",
                    data=PodmanV0(
                        init_containers=[InitContainer(name="migrate", image="localhost/web:1")],
                        services=[Service(name=name, image="localhost/web:1")],
                    ),
                ),
            ),
        )
        for name in NAMES
    ]


def resource_puts(count: int) -> Iterator[Put]:
    """Return the deployments and their status."""
    aggregate = Aggregate(matched_device_count=count, succeeded=count)
    status = encode(DeploymentStatus(aggregate=aggregate, observed_generation=1))
    for deployment in deployments():
        key = ".".join(deployment.key)
        yield Put(DEPLOYMENTS, key, encode(deployment))
        yield Put(DEPLOYMENT_STATUS, key, status)


def device_puts(ids: list[str]) -> Iterator[Put]:
    """Return what the devices and the operator would have written.

    The payloads are made by the contract's own encoder, once for each kind, and the device's id is
    put into them: 300,000 states would take a minute otherwise.
    """
    hashes = {
        deployment.metadata.name: spec_hash(deployment.spec.score) for deployment in deployments()
    }
    entries = {name: ManifestEntry(generation=1, spec_hash=hashes[name]) for name in NAMES}
    manifest = encode(DeviceManifest(generation=1, deployments=entries))
    infos = [_info(site, ring) for ring in range(3) for site in SITES]
    running = {name: encode(_state(name, hashes[name])) for name in NAMES}
    failed = encode(_failed_state(hashes["web"]))
    for number, device_id in enumerate(ids):
        info = infos[number % 4 + 4 * (number % 3)]
        yield Put(DEVICE_INFO, info_key(device_id), _of(info, device_id))
        yield Put(DEVICE_MANIFEST, manifest_key(device_id), manifest)
        for name in NAMES:
            failing = name == "web" and number % FAILING_EVERY == 0
            state = failed if failing else running[name]
            yield Put(DEVICE_STATE, state_key(device_id, name), _of(state, device_id))
        yield heartbeat(device_id)


def heartbeat(device_id: str) -> Put:
    """Return a sign of life."""
    value = encode_heartbeat(device_id, datetime.now(UTC))
    return Put(DEVICE_HEARTBEAT, heartbeat_key(device_id), value)


def _of(payload: bytes, device_id: str) -> bytes:
    return payload.replace(_PLACEHOLDER.encode(), device_id.encode())


def _info(site: str, ring: int) -> bytes:
    return encode(
        DeviceInfo(
            device_id=_PLACEHOLDER,
            labels={"site": site, "ring": str(ring), "hw": "pi5"},
            inventory=Inventory(hostname=_PLACEHOLDER, arch="aarch64", cpus=4, model="Pi 5"),
            agent_version=f"1.3.{ring}",
            started_at=_STARTED,
        )
    )


def _state(name: str, spec: str) -> DeploymentState:
    running = ContainerState(running=RunningState(started_at=_STARTED))
    done = TerminatedState(exit_code=0, reason="Completed", finished_at=_STARTED)
    return DeploymentState(
        device_id=_PLACEHOLDER,
        deployment=name,
        phase=Phase.RUNNING,
        last_event_at=_STARTED + timedelta(minutes=1),
        generation=1,
        spec_hash=spec,
        reason="Running",
        init_container_statuses=[
            ContainerStatus(name="migrate", state=ContainerState(terminated=done), ready=True)
        ],
        container_statuses=[ContainerStatus(name=name, state=running, ready=True)],
    )


def _failed_state(spec: str) -> DeploymentState:
    ended = TerminatedState(exit_code=3, reason="Error", finished_at=_STARTED)
    return DeploymentState(
        device_id=_PLACEHOLDER,
        deployment="web",
        phase=Phase.FAILED,
        last_event_at=_STARTED + timedelta(minutes=1),
        last_error="migrate exited 3",
        generation=1,
        spec_hash=spec,
        reason="Init:Error",
        init_container_statuses=[
            ContainerStatus(name="migrate", state=ContainerState(terminated=ended), restart_count=4)
        ],
        failure=Failure(
            container="migrate", init=True, cause="Error", exit_code=3, log="cannot reach db\n"
        ),
    )


async def publish_all(connection: Connection, puts: Iterator[Put]) -> dict[str, int]:
    """Publish without acknowledgement; return how many went to each stream."""
    sent: dict[str, int] = {}
    for put in puts:
        await connection.publish(put.bucket.subject(put.key), put.value)
        sent[put.bucket.stream] = sent.get(put.bucket.stream, 0) + 1
    return sent


async def all_stored(connection: Connection, sent: dict[str, int]) -> None:
    """Return once each stream holds what went to it."""
    missing = dict(sent)
    while True:
        for stream in list(missing):
            answer = await api_request(connection, f"STREAM.INFO.{stream}", timeout_s=30)
            if answer["state"]["messages"] >= missing[stream]:
                del missing[stream]
        if not missing:
            return
        await asyncio.sleep(0.05)


async def beat(connection: Connection, ids: list[str], per_s: float) -> None:
    """Send heartbeats of one device after the other, for ever, at a steady rate."""
    devices = itertools.cycle(ids)
    started = time.monotonic()
    sent = 0
    while True:
        due = int((time.monotonic() - started) * per_s)
        for device_id in itertools.islice(devices, due - sent):
            put = heartbeat(device_id)
            await connection.publish(put.bucket.subject(put.key), put.value)
        sent = due
        await asyncio.sleep(_BEAT_S)


async def main(url: str, count: int, per_s: float) -> None:
    """Load the fleet, then let it live until standard input ends."""
    ids = device_ids(count)
    settings = ConnectionSettings(servers=(url,), name="bench-feed")
    async with await connect(settings) as connection:
        await ensure_buckets(connection)
        sent = await publish_all(connection, resource_puts(count))
        sent |= await publish_all(connection, device_puts(ids))
        await all_stored(connection, sent)
        print("loaded", flush=True)
        beating = asyncio.create_task(beat(connection, ids, per_s))
        await asyncio.to_thread(sys.stdin.read)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
