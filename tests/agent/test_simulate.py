"""``fleet-agent simulate`` as a process: a whole fleet with its faults, on a real server."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from fleet_agent.simulation.devices import Fault, draw_devices
from fleet_agent.simulation.profile import load_profile, parse_profile
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import PingReply, Verb, command_subject
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import Score, spec_hash
from fleet_core.contracts.states import DeploymentState
from fleet_core.errors import DeviceOfflineError, InvalidInputError, RetryLaterError
from fleet_core.messaging import ConnectionSettings, KvBucket, connect, ensure_buckets
from tests.support.processes import alive
from tests.support.waiting import eventually, eventually_reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleet_core.messaging import Connection, Message
    from tests.support.nats_server import NatsServer

DEVICES: Final = 40
PROFILE: Final = """\
versions = { "2.0" = 1, "1.9" = 1 }
[sites.berlin]
[sites.paris]
[hardware.pi5]
model = "Raspberry Pi 5"
[faults]
FAULTS
[[images]]
image = "registry.example/migrate:1"
[[images.behaviours]]
where = { site = "paris" }
run_s = 0.05
exit_code = 3
last_words = "no database for {device}"
[[images]]
image = "registry.example/hangs:1"
[[images.behaviours]]
log = "fetching"
[[images]]
image = "registry.example/crashes:1"
[[images.behaviours]]
run_s = 0.05
exit_code = 139
[[images]]
image = "registry.example/absent:1"
missing_share = 1
"""


class Fleet:
    """The devices, as anybody on the server sees them."""

    def __init__(self, connection: Connection, process: asyncio.subprocess.Process) -> None:
        self.connection = connection
        self.process = process
        self.infos: dict[str, DeviceInfo] = {}
        self.heartbeats: Counter[str] = Counter()
        self.states: dict[tuple[str, str], DeploymentState] = {}
        self._generation = 0

    def take_info(self, message: Message) -> None:
        info = decode(DeviceInfo, message.data)
        self.infos[info.device_id] = info

    def take_heartbeat(self, message: Message) -> None:
        assert len(message.data) < 96
        self.heartbeats[message.subject.rpartition(".")[2]] += 1

    def take_state(self, message: Message) -> None:
        state = decode(DeploymentState, message.data)
        self.states[state.device_id, state.deployment] = state

    async def order(self, device: str, **scores: Score) -> None:
        """Have a device run these, as the operator does."""
        self._generation += 1
        for name, score in scores.items():
            key = f"{device}.{name}"
            await KvBucket(self.connection, "desired-state").put(key, encode(score))
        deployments = {
            name: ManifestEntry(generation=1, spec_hash=spec_hash(score))
            for name, score in scores.items()
        }
        manifest = DeviceManifest(generation=self._generation, deployments=deployments)
        await KvBucket(self.connection, "device-manifest").put(device, encode(manifest))

    def reason(self, device: str, deployment: str) -> str:
        state = self.states.get((device, deployment))
        return "" if state is None else state.reason

    async def ping(self, device: str) -> PingReply:
        subject = command_subject(device, Verb.PING)
        reply = await self.connection.requests.request(subject, b"", 3)
        return decode(PingReply, reply.data)


@asynccontextmanager
async def simulated(
    server: NatsServer, tmp_path: Path, faults: str = "", devices: int = DEVICES
) -> AsyncIterator[Fleet]:
    """Run ``fleet-agent simulate``; it is killed at the end, if it has not ended."""
    profile = tmp_path / "profile.toml"
    profile.write_text(PROFILE.replace("FAULTS", faults))
    async with await connect(ConnectionSettings((server.url,))) as connection:
        await ensure_buckets(connection)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fleet_agent", "simulate", "--nats", server.url),
            *("--devices", str(devices), "--profile", str(profile), "--seed", "7"),
        )
        try:
            fleet = Fleet(connection, process)
            await connection.subscribe("$KV.device-info.>", fleet.take_info)
            await connection.subscribe("$KV.device-heartbeat.>", fleet.take_heartbeat)
            await connection.subscribe("$KV.device-state.>", fleet.take_state)
            await eventually(lambda: len(fleet.infos) == devices, timeout_s=8)
            yield fleet
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def score(*, init: str = "", image: str = "web", timeout: int = 300) -> Score:
    inits = [{"name": "init", "image": f"registry.example/{init}:1", "timeout": timeout}]
    services = [{"name": "main", "image": f"registry.example/{image}:1"}]
    data: dict[str, Any] = {"init_containers": inits if init else [], "services": services}
    return decode(Score, json.dumps({"type": "PodmanV0", "data": data}).encode())


@pytest.mark.timeout(20)
async def test_the_fleet_lives_and_fails_as_its_profile_says(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with simulated(nats_server, tmp_path) as fleet:
        await eventually(lambda: len(fleet.heartbeats) == DEVICES)
        assert {info.agent_version for info in fleet.infos.values()} == {"2.0", "1.9"}
        berlin, paris = (
            next(name for name, info in fleet.infos.items() if info.labels["site"] == site)
            for site in ("berlin", "paris")
        )
        assert (await fleet.ping(berlin)).device_id == berlin
        await fleet.order(
            berlin,
            good=score(init="migrate"),
            hangs=score(init="hangs", timeout=1),
            crashes=score(image="crashes"),
            absent=score(image="absent"),
        )
        await fleet.order(paris, good=score(init="migrate"))
        await eventually(lambda: fleet.reason(berlin, "good") == "Running", timeout_s=8)
        await eventually(lambda: fleet.reason(paris, "good") == "Init:CrashLoopBackOff")
        await eventually(lambda: fleet.reason(berlin, "crashes") == "CrashLoopBackOff")
        await eventually(lambda: fleet.reason(berlin, "absent") == "ImagePullBackOff")
        await eventually(lambda: fleet.reason(berlin, "hangs") == "Init:CrashLoopBackOff")
        failed, hung = fleet.states[paris, "good"].failure, fleet.states[berlin, "hangs"].failure
        assert failed is not None
        assert (failed.container, failed.exit_code) == ("init", 3)
        assert failed.log == f"no database for {paris}"
        assert hung is not None
        assert (hung.cause, hung.log) == ("InitTimeout", "fetching")


async def test_devices_go_offline_and_flap(nats_server: NatsServer, tmp_path: Path) -> None:
    faults = "offline = 0.5\noffline_after_s = 0.3\nflapping = 0.5\n"
    faults += "flapping_up_s = [0.2, 0.4]\nflapping_down_s = [0.2, 0.4]"
    async with simulated(nats_server, tmp_path, faults) as fleet:
        # A flapping device sends a heartbeat each time that it comes up again.
        await eventually(lambda: sum(count >= 3 for count in fleet.heartbeats.values()) >= 10)
        silent = [device for device, count in fleet.heartbeats.items() if count == 1]
        assert len(silent) >= 10
        with pytest.raises(DeviceOfflineError):
            await fleet.ping(silent[0])


async def test_absent_devices_report_themselves_and_slow_ones_answer_late(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    faults = "absent = 0.5\nslow = 0.5\nslow_reply_s = [0.3, 0.4]"
    async with simulated(nats_server, tmp_path, faults) as fleet:
        await eventually(lambda: len(fleet.heartbeats) >= 10)
        slow = next(iter(fleet.heartbeats))
        started = asyncio.get_running_loop().time()
        await fleet.ping(slow)
        assert asyncio.get_running_loop().time() - started >= 0.3
        absent = next(device for device in fleet.infos if device not in fleet.heartbeats)
        with pytest.raises(DeviceOfflineError):
            await fleet.ping(absent)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_at_once(
    nats_server: NatsServer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async with simulated(nats_server, tmp_path) as fleet:
        await fleet.order(next(iter(fleet.infos)), hangs=score(init="hangs"))
        await eventually(lambda: fleet.states)
        fleet.process.send_signal(number)
        assert await asyncio.wait_for(fleet.process.wait(), 3) == code
        assert not alive(fleet.process.pid)


@pytest.mark.timeout(20)
async def test_the_fleet_comes_back_when_the_server_does(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with simulated(nats_server, tmp_path) as fleet:
        await eventually(lambda: len(fleet.heartbeats) == DEVICES)
        stopped_at_s = time.time()
        nats_server.restart()
        stored = KvBucket(fleet.connection, "device-heartbeat")

        async def silent() -> list[str]:
            try:
                found = {device: await stored.get(f"heartbeat.{device}") for device in fleet.infos}
            except RetryLaterError as error:
                return [str(error)]
            return [
                device
                for device, entry in found.items()
                if entry is None or entry.received_at_s < stopped_at_s
            ]

        await eventually_reads(silent, [], timeout_s=12)


def test_the_same_seed_gives_the_same_devices_and_a_larger_fleet_begins_with_the_smaller() -> None:
    profile = load_profile("demo")
    first = list(draw_devices(profile, 200, seed=1))
    assert first == list(draw_devices(profile, 400, seed=1))[:200]
    assert first != list(draw_devices(profile, 200, seed=2))


def test_the_demo_has_four_sites_mixed_versions_and_every_fault() -> None:
    devices = list(draw_devices(load_profile("demo"), 200, seed=1))
    assert len({device.device_id for device in devices}) == 200
    assert len({device.labels["site"] for device in devices}) == 4
    assert len({device.agent_version for device in devices}) == 3
    faults = Counter(device.fault for device in devices)
    assert set(faults) == set(Fault)
    assert faults[Fault.NONE] > 150


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (('"2.0" = 1', '"2.0" = -1'), "versions.2.0"),
        (("[faults]", "[faults]\noffline = 1.5"), "faults.offline"),
        (("[faults]", "[faults]\nofline = 0.5"), "faults.ofline"),
        (("run_s = 0.05", "run_s = [3, 1]"), "images[0].behaviours[0].run_s"),
        (('model = "Raspberry Pi 5"', "cpus = -1"), "hardware.pi5.cpus"),
    ],
)
def test_a_wrong_profile_names_the_key(change: tuple[str, str], path: str) -> None:
    text = PROFILE.replace("FAULTS", "")
    assert change[0] in text
    with pytest.raises(InvalidInputError) as caught:
        parse_profile(text.replace(*change).encode(), "profile.toml")
    assert caught.value.path == path
    assert str(caught.value).startswith("profile.toml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "nonsense"), "one of demo, healthy"),
        (("--prefix", "Big_"), "--prefix"),
        (("--devices", "0"), "a number from 1"),
    ],
)
async def test_wrong_usage_exits_2_with_a_sentence(arguments: tuple[str, str], said: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_agent", "simulate", *arguments),
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert said in stderr.decode()
    assert "Traceback" not in stderr.decode()
