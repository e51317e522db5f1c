"""`FleetOperatorScore`: the control plane, against the Deployment resources in NATS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from fleet_core.contracts.devices import DEFAULT_HEARTBEAT_INTERVAL_S
from fleet_core.deploy.nats_score import nats_url, settings_for
from fleet_core.deploy.score import Score, until_ready
from fleet_core.deploy.topology import Executable, Program
from fleet_core.messaging import connect

if TYPE_CHECKING:
    from fleet_core.deploy.topology import Topology

OPERATOR: Final = "operator"
"""The name of the program in every topology."""
READY_SUBJECT: Final = "fleet-operator.ready"
READY_DEADLINE_S: Final = 20.0
_PROBE_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class FleetOperatorScore(Score[None]):
    """One operator for the NATS server of the same topology."""

    component: ClassVar[str] = "operator"

    heartbeat_interval_s: int = DEFAULT_HEARTBEAT_INTERVAL_S
    """How often it has the devices send a sign of life."""

    async def deploy(self, topology: Topology) -> None:
        """Have the operator running."""
        url = await nats_url(topology)
        await topology.ensure_running(
            Program(
                name=OPERATOR,
                executable=Executable.FLEET,
                arguments=lambda _: (
                    *("operator", "--nats", url),
                    *("--heartbeat-interval", str(self.heartbeat_interval_s)),
                ),
            )
        )

    async def smoke_test(self, topology: Topology, outcome: None) -> None:
        """Ask it whether it has read everything there is and acts on changes."""
        del outcome
        settings = settings_for(await nats_url(topology), "fleet-deploy")
        async with await connect(settings) as connection:

            async def answers() -> bool:
                await connection.requests.request(READY_SUBJECT, b"", _PROBE_TIMEOUT_S)
                return True

            await until_ready(topology, OPERATOR, answers, deadline_s=READY_DEADLINE_S)
