"""The demo's fleet: which Scores it consists of, and the order in which they are interpreted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fleet_core.deploy.agent_score import FleetAgentScore
from fleet_core.deploy.deployments_score import FleetDeploymentsScore
from fleet_core.deploy.nats_score import FleetNatsScore
from fleet_core.deploy.operator_score import FleetOperatorScore
from fleet_core.deploy.score import interpret
from fleet_core.errors import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_core.deploy.topology import Topology

PROFILE: Final = "demo"
HEARTBEAT_INTERVAL_S: Final = 5
"""Six times as often as usual, so that whoever goes away is seen to within a minute."""
HEARTBEATS_PER_S_MAX: Final = 400
"""A larger fleet sends its signs of life less often."""


async def deploy_demo_fleet(
    topology: Topology,
    *,
    devices: int,
    seed: int,
    on_url: Callable[[str], None] = lambda _: None,
) -> str:
    """Bring up NATS, the operator, the devices and the Deployments; return the URL of NATS.

    ``on_url`` is called with the URL as soon as NATS answers: whoever connects then sees the fleet
    come up.

    Raises:
        FleetError: a part did not come up; the message says which, and the last lines of its log.
    """
    url = await interpret(FleetNatsScore(), topology)
    on_url(url)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(interpret(FleetAgentScore(devices, PROFILE, seed), topology))
            group.create_task(_deploy_control_plane(topology, devices))
    except* FleetError as failures:
        raise _first(failures) from failures
    return url


async def _deploy_control_plane(topology: Topology, devices: int) -> None:
    interval_s = max(HEARTBEAT_INTERVAL_S, devices // HEARTBEATS_PER_S_MAX)
    await interpret(FleetOperatorScore(interval_s), topology)
    await interpret(FleetDeploymentsScore.demo(), topology)


def _first(failures: BaseExceptionGroup[FleetError]) -> FleetError:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure if isinstance(failure, FleetError) else FleetError(str(failure))
