"""The other side of an agent's wire: writes orders, hears what the device tells, sends commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import command_subject
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.scores import payload_hash
from fleet_core.contracts.states import DeploymentState, Phase
from fleet_core.messaging import KvBucket
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from fleet_core.messaging import Connection, Message

DEVICE: Final = "van-1"


class Operator:
    """The other side of the wire: writes orders, hears what the device tells, sends commands."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.heartbeats: list[bytes] = []
        self.states: dict[str, DeploymentState] = {}
        self.deleted: list[str] = []
        self.deployments: dict[str, ManifestEntry] = {}
        self.generation = 0

    async def listen(self) -> None:
        await self.connection.subscribe("$KV.device-heartbeat.>", self._take_heartbeat)
        await self.connection.subscribe("$KV.device-state.>", self._take_state)

    def _take_heartbeat(self, message: Message) -> None:
        self.heartbeats.append(message.data)

    def _take_state(self, message: Message) -> None:
        name = message.subject.rpartition(".")[2]
        if message.data:
            self.states[name] = decode(DeploymentState, message.data)
        else:
            self.states.pop(name, None)
            self.deleted.append(name)

    async def order(self, name: str, payload: bytes) -> ManifestEntry:
        """Write an entry, then the manifest that names it."""
        await KvBucket(self.connection, "desired-state").put(f"{DEVICE}.{name}", payload)
        self.generation += 1
        entry = ManifestEntry(generation=self.generation, spec_hash=payload_hash(payload))
        self.deployments[name] = entry
        await self.tell()
        return entry

    async def tell(self, generation: int | None = None) -> None:
        manifest = DeviceManifest(
            generation=generation or self.generation, deployments=self.deployments
        )
        await self.manifest(encode(manifest))

    async def manifest(self, payload: bytes) -> None:
        await KvBucket(self.connection, "device-manifest").put(DEVICE, payload)

    async def running(self, name: str, entry: ManifestEntry, timeout_s: float = 5) -> None:
        """Return when the device tells that it runs this entry."""

        def told() -> bool:
            state = self.states.get(name)
            return (
                state is not None
                and state.phase is Phase.RUNNING
                and (state.generation, state.spec_hash) == (entry.generation, entry.spec_hash)
            )

        await eventually(told, timeout_s=timeout_s, message=f"{name} never ran: {self.states}")

    async def command(self, verb: str, **body: Any) -> bytes:
        payload = json.dumps(body).encode() if body else b""
        subject = command_subject(DEVICE, verb)
        return (await self.connection.requests.request(subject, payload, 2)).data
