"""`FleetAgentScore`: simulated devices, each running the real agent code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.buckets import DEVICE_INFO, info_key, parse_info_key
from fleet_core.contracts.commands import Verb, command_subject
from fleet_core.deploy.nats_score import nats_url, settings_for
from fleet_core.deploy.score import Score, until_ready
from fleet_core.deploy.topology import Executable, Program
from fleet_core.messaging import Reply, api_request, connect

if TYPE_CHECKING:
    from fleet_core.deploy.topology import Topology
    from fleet_core.messaging import Connection

AGENTS: Final = "agents"
"""The name of the program in every topology."""
READY_DEADLINE_S: Final = 60.0
_PING_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class FleetAgentScore(Score[None]):
    """So many devices in one process, on the NATS server of the same topology."""

    component: ClassVar[str] = "agents"

    devices: int
    profile: str = "demo"
    """A profile that comes with the agent, or the path of a profile's file."""
    seed: int = 1
    """The same seed gives the same devices with the same faults."""
    answering_share: float = 0.5
    """So many of the devices must answer a ping; a profile may hold some that are offline."""

    async def deploy(self, topology: Topology) -> None:
        """Have the devices running."""
        arguments = (
            *("simulate", "--nats", await nats_url(topology)),
            *("--devices", str(self.devices)),
            *("--profile", self.profile),
            *("--seed", str(self.seed)),
        )
        await topology.ensure_running(Program(AGENTS, Executable.FLEET_AGENT, lambda _: arguments))

    async def smoke_test(self, topology: Topology, outcome: None) -> None:
        """Find that every device has reported itself, and that enough of them answer a ping."""
        del outcome
        settings = settings_for(await nats_url(topology), "fleet-deploy")
        async with await connect(settings) as connection:

            async def devices_answer() -> bool:
                devices = await reported_devices(connection)
                if len(devices) < self.devices:
                    return False
                return await answering(connection, devices) >= self.answering_share * self.devices

            await until_ready(topology, AGENTS, devices_answer, deadline_s=READY_DEADLINE_S)


async def reported_devices(connection: Connection) -> list[str]:
    """Return the ids of all devices that have ever reported themselves."""
    wanted = {"subjects_filter": DEVICE_INFO.subject(info_key("*"))}
    answer = await api_request(connection, f"STREAM.INFO.{DEVICE_INFO.stream}", wanted)
    prefix = DEVICE_INFO.subject("")
    subjects = answer["state"].get("subjects") or {}
    return [parse_info_key(subject.removeprefix(prefix)) for subject in subjects]


async def answering(connection: Connection, devices: list[str]) -> int:
    """Return how many of the devices answer a ping now."""
    pings = [(device, command_subject(device, Verb.PING), b"") for device in devices]
    answers = 0
    async for _, answer in connection.requests.scatter(pings, timeout_s=_PING_TIMEOUT_S):
        answers += isinstance(answer, Reply)
    return answers
