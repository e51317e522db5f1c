"""A small fleet on a real server, opened as the tools open it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import (
    LogsReply,
    LogsRequest,
    PingReply,
    RedeployReply,
    RedeployRequest,
    Verb,
)
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.errors import RefusedError
from fleet_core.messaging import CommandServer, ConnectionSettings, connect
from fleet_core.operations.contexts import Context
from fleet_core.operations.live import LiveFleet
from fleet_core.operator.wants import Want
from tests.operator.fleets import deployment
from tests.operator.plant import Plant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_core.messaging import Connection, Message
    from tests.support.nats_server import NatsServer

ANSWERING = ("a-1", "a-2", "a-3")
REFUSING = "b-4"
SILENT = "z-9"


class SmallFleet:
    """Five devices with a deployment `web`: three answer, one refuses, one is gone."""

    def __init__(self, server: NatsServer, connection: Connection) -> None:
        self.server = server
        self.plant = Plant(connection)
        self.redeployed: list[tuple[str, str]] = []
        """(device, request id) of each redeploy that was carried out."""
        self._tasks: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        await self.plant.prepare()
        entry = Want.of(deployment()).entry
        manifest = encode(DeviceManifest(generation=1, deployments={"web": entry}))
        for device in (*ANSWERING, REFUSING, SILENT):
            await self.plant.device(device, site="paris" if device == SILENT else "berlin")
            await self.plant.bucket("device-manifest").put(device, manifest)
        for device in (*ANSWERING, REFUSING):
            self._serve(device)

    def _serve(self, device: str) -> None:
        async def ping(_payload: bytes, _message: Message) -> bytes:
            return encode(PingReply(device_id=device, agent_version="1.3.2", uptime_s=60))

        async def redeploy(payload: bytes, _message: Message) -> bytes:
            if device == REFUSING:
                raise RefusedError("not here\x1b[2J")
            asked = decode(RedeployRequest, payload)
            self.redeployed.append((device, asked.request_id))
            return encode(
                RedeployReply(device_id=device, deployment=asked.deployment, generation=1)
            )

        async def logs(payload: bytes, _message: Message) -> bytes:
            asked = decode(LogsRequest, payload)
            lines = [f"{asked.deployment} line {number}\x1b[31m" for number in range(asked.tail)]
            return encode(LogsReply(lines=lines[-3:], truncated=asked.tail > 3))

        server = CommandServer(self.plant.connection, device)
        for verb, handler in ((Verb.PING, ping), (Verb.REDEPLOY, redeploy), (Verb.LOGS, logs)):
            server.handle(verb, handler)
        self._tasks.append(asyncio.create_task(server.run()))

    @asynccontextmanager
    async def opened(self, *, read_only: bool = False) -> AsyncIterator[LiveFleet]:
        """The fleet as the tools see it, with everything read."""
        context = Context(
            "prod", (self.server.url,), read_only=read_only, arguments=("--context", "prod")
        )
        async with await LiveFleet.open(context) as fleet:
            await fleet.synced(10)
            yield fleet

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def small_fleet(nats_server: NatsServer) -> AsyncIterator[SmallFleet]:
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        small_fleet = SmallFleet(nats_server, connection)
        await small_fleet.prepare()
        yield small_fleet
        await small_fleet.close()


@pytest.fixture
async def fleet(small_fleet: SmallFleet) -> AsyncIterator[LiveFleet]:
    async with small_fleet.opened() as fleet:
        yield fleet
