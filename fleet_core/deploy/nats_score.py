"""`FleetNatsScore`: a NATS server with JetStream, and the fleet's buckets in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.deploy.score import Score, until_ready
from fleet_core.deploy.topology import Executable, Place, Program
from fleet_core.messaging import (
    ConnectionSettings,
    connect,
    ensure_audit_stream,
    ensure_buckets,
)

if TYPE_CHECKING:
    from fleet_core.deploy.topology import Topology

NATS: Final = "nats"
"""The name of the program in every topology."""
READY_DEADLINE_S: Final = 20.0
CONFIG_FILE: Final = "nats-server.conf"


@dataclass(frozen=True, slots=True)
class FleetNatsScore(Score[str]):
    """One nats-server for the whole fleet; its outcome is the URL at which it is reached."""

    component: ClassVar[str] = "NATS"

    sync_always: bool = False
    """Write each acknowledged message through to the disk.

    Without it the server does so every 2 minutes, and a power cut loses what came in between. At
    4,000 acknowledged writes a second it is affordable where a single server holds the desired
    state; for a store that is thrown away it is not worth it.
    """
    max_store_bytes: int = 2 * 1024**3
    """The most that the streams may take on the disk."""

    async def deploy(self, topology: Topology) -> str:
        """Have the server running; return its URL."""
        await topology.ensure_running(
            Program(
                name=NATS,
                executable=Executable.NATS_SERVER,
                arguments=lambda place: ("--config", str(place.directory / CONFIG_FILE)),
                files=lambda place: {CONFIG_FILE: self.configuration(place)},
                listens=True,
            )
        )
        return await nats_url(topology)

    async def smoke_test(self, topology: Topology, outcome: str) -> None:
        """Connect, and have JetStream hold every bucket and the audit stream."""

        async def holds_buckets() -> bool:
            async with await connect(settings_for(outcome, "fleet-deploy")) as connection:
                await ensure_buckets(connection)
                await ensure_audit_stream(connection)
            return True

        await until_ready(topology, NATS, holds_buckets, deadline_s=READY_DEADLINE_S)

    def configuration(self, place: Place) -> str:
        """Return the server's configuration file for a place.

        JSON strings are strings of nats-server's configuration language too.
        """
        sync = "always" if self.sync_always else "2m"
        return f"""\
server_name: fleet
host: {json.dumps(place.host)}
port: {place.port}
jetstream {{
  store_dir: {json.dumps(str(place.directory / "jetstream"), ensure_ascii=False)}
  max_file_store: {self.max_store_bytes}
  sync_interval: {sync}
}}
"""


async def nats_url(topology: Topology) -> str:
    """Return the URL of the topology's NATS server.

    Raises:
        NotFoundError: there is none yet.
    """
    host, port = await topology.address(NATS)
    return f"nats://{host}:{port}"


def settings_for(url: str, name: str) -> ConnectionSettings:
    """Return the settings with which a Score's own probes connect."""
    return ConnectionSettings(servers=(url,), name=name)
