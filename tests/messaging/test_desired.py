"""An agent reads what it should run without a consumer, and takes absence for nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import encode
from fleet_core.contracts.containers import Service
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import PodmanV0, Score, payload_hash, spec_hash
from fleet_core.messaging import (
    Connection,
    DesiredReader,
    KvBucket,
    api_request,
    ensure_buckets,
)
from tests.messaging.conftest import restarted
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_core.errors import InvalidInputError
    from tests.support.nats_server import NatsServer


class Wanted:
    """What the reader has told."""

    def __init__(self) -> None:
        self.manifests: list[DeviceManifest] = []
        self.scores: dict[str, Score] = {}
        self.told = 0
        self.refused: list[str] = []

    def on_manifest(self, manifest: DeviceManifest) -> None:
        self.manifests.append(manifest)

    def on_score(self, deployment: str, entry: ManifestEntry, score: Score) -> None:
        assert spec_hash(score) == entry.spec_hash
        self.scores[deployment] = score
        self.told += 1

    def on_refused(self, deployment: str, entry: ManifestEntry, error: InvalidInputError) -> None:
        assert entry.spec_hash
        self.refused.append(f"{deployment}: {error.path}")


class Operator:
    """Writes entries and manifests as the operator does."""

    def __init__(self, connection: Connection) -> None:
        self.entries = KvBucket(connection, "desired-state")
        self.manifests = KvBucket(connection, "device-manifest")

    async def entry(self, name: str, payload: bytes, generation: int = 1) -> ManifestEntry:
        await self.entries.put(f"van-1.{name}", payload)
        return ManifestEntry(generation=generation, spec_hash=payload_hash(payload))

    async def manifest(self, generation: int, **deployments: ManifestEntry) -> None:
        manifest = DeviceManifest(generation=generation, deployments=deployments)
        await self.manifests.put("van-1", encode(manifest))


def score(image: str) -> bytes:
    service = Service(name="web", image=image)
    return encode(Score(type="PodmanV0", data=PodmanV0(services=[service])))


@pytest.fixture
def operator(connection: Connection) -> Operator:
    return Operator(connection)


@pytest.fixture
def wanted() -> Wanted:
    return Wanted()


@pytest.fixture
async def reader(connection: Connection, wanted: Wanted) -> AsyncIterator[DesiredReader]:
    reader = DesiredReader(connection, "van-1", wanted, reread_interval_s=0.5)
    running = asyncio.create_task(reader.run())
    yield reader
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def image_of(wanted: Wanted, name: str) -> str | None:
    found = wanted.scores.get(name)
    return found.data.services[0].image if found else None


@pytest.mark.usefixtures("reader")
async def test_what_the_manifest_names_is_read_and_followed(
    operator: Operator, wanted: Wanted
) -> None:
    await operator.manifest(1, web=await operator.entry("web", score("web:1")))
    await eventually(lambda: image_of(wanted, "web") == "web:1")
    await operator.manifest(2, web=await operator.entry("web", score("web:2"), 2))
    await eventually(lambda: image_of(wanted, "web") == "web:2")
    await operator.manifest(3)
    await eventually(lambda: wanted.manifests[-1].deployments == {})
    assert wanted.told == 2


@pytest.mark.usefixtures("reader")
async def test_an_older_manifest_changes_nothing(operator: Operator, wanted: Wanted) -> None:
    entry = await operator.entry("web", score("web:1"))
    await operator.manifest(5, web=entry)
    await eventually(lambda: wanted.scores)
    await operator.manifest(4)
    await operator.manifest(6, web=entry)
    await eventually(lambda: len(wanted.manifests) == 2)
    assert [manifest.generation for manifest in wanted.manifests] == [5, 6]


@pytest.mark.usefixtures("reader")
async def test_an_entry_without_its_manifest_is_only_a_hint(
    operator: Operator, wanted: Wanted
) -> None:
    await operator.manifest(1, web=await operator.entry("web", score("web:1")))
    await eventually(lambda: wanted.scores)
    await operator.entry("web", score("web:2"))
    await operator.entry("foreign", score("evil:1"))
    await operator.manifest(2, web=await operator.entry("web", score("web:3")))
    await eventually(lambda: image_of(wanted, "web") == "web:3")
    assert wanted.scores.keys() == {"web"}
    assert wanted.told == 2


@pytest.mark.usefixtures("reader")
async def test_a_wiped_store_is_no_order(
    operator: Operator, wanted: Wanted, connection: Connection, nats_server: NatsServer
) -> None:
    await operator.manifest(1, web=await operator.entry("web", score("web:1")))
    await eventually(lambda: wanted.scores)
    await restarted(nats_server, connection, wipe=True)
    await ensure_buckets(connection)
    await operator.manifest(2, web=await operator.entry("web", score("web:2")))
    await eventually(lambda: image_of(wanted, "web") == "web:2", timeout_s=8)
    assert all(manifest.deployments for manifest in wanted.manifests)


async def test_a_malformed_manifest_or_score_changes_nothing(
    reader: DesiredReader, operator: Operator, wanted: Wanted
) -> None:
    good = await operator.entry("web", score("web:1"))
    await operator.manifest(1, web=good)
    await eventually(lambda: wanted.scores)
    await operator.manifests.put("van-1", b'{"generation":"two"}')
    await eventually(lambda: reader.refused == 1)
    bad = await operator.entry("bad", b'{"type":"PodmanV9","data":{}}')
    await operator.manifest(3, web=good, bad=bad)
    await eventually(lambda: wanted.refused == ["bad: type"])
    assert image_of(wanted, "web") == "web:1"
    assert len(wanted.manifests) == 2


async def test_no_consumer_is_made(
    reader: DesiredReader, operator: Operator, wanted: Wanted, connection: Connection
) -> None:
    await operator.manifest(1, web=await operator.entry("web", score("web:1")))
    await eventually(lambda: wanted.scores)
    for stream in ("KV_desired-state", "KV_device-manifest"):
        names = await api_request(connection, f"CONSUMER.NAMES.{stream}")
        assert not names["consumers"]
    assert reader.refused == 0


@pytest.mark.usefixtures("reader")
async def test_what_is_heard_counts_even_before_the_server_has_stored_it(
    connection: Connection, operator: Operator, wanted: Wanted
) -> None:
    entry = await operator.entry("web", score("registry.example/web:1"))
    await operator.manifest(1, web=entry)
    await eventually(lambda: wanted.told == 1)
    # A subscriber hears a message before the stream has it; here the stream never does.
    for bucket in ("desired-state", "device-manifest"):
        await api_request(connection, f"STREAM.DELETE.KV_{bucket}")
    newer = score("registry.example/web:2")
    manifest = DeviceManifest(
        generation=2,
        deployments={"web": ManifestEntry(generation=2, spec_hash=payload_hash(newer))},
    )
    await connection.publish("$KV.desired-state.van-1.web", newer)
    await connection.publish("$KV.device-manifest.van-1", encode(manifest))
    await eventually(lambda: wanted.told == 2)
    assert wanted.scores["web"].data.services[0].image == "registry.example/web:2"
    await connection.publish("$KV.device-manifest.van-1", b"")
    await connection.publish("$KV.device-manifest.van-1", b"not json")
    await eventually(lambda: wanted.told == 2 and len(wanted.manifests) == 2)
