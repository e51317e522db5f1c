"""FleetAgentScore: so many devices report themselves and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.deploy.agent_score import (
    AGENTS,
    FleetAgentScore,
    answering,
    reported_devices,
)
from fleet_core.deploy.local import LocalTopology
from fleet_core.deploy.nats_score import FleetNatsScore, settings_for
from fleet_core.deploy.score import interpret
from fleet_core.errors import BrokenError
from fleet_core.messaging import connect
from tests.support.processes import alive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def topology() -> AsyncIterator[LocalTopology]:
    async with LocalTopology() as topology:
        yield topology


async def test_every_device_answers_when_it_is_ready(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    await interpret(FleetAgentScore(25, "healthy", answering_share=1.0), topology)
    async with await connect(settings_for(url, "test")) as connection:
        devices = await reported_devices(connection)
        assert len(devices) == 25
        assert await answering(connection, devices) == 25


async def test_a_larger_fleet_takes_the_place_of_a_smaller_one(topology: LocalTopology) -> None:
    url = await interpret(FleetNatsScore(), topology)
    await interpret(FleetAgentScore(5, "healthy"), topology)
    before = topology.pid(AGENTS)
    await interpret(FleetAgentScore(8, "healthy", answering_share=1.0), topology)
    assert not alive(before)
    async with await connect(settings_for(url, "test")) as connection:
        assert len(await reported_devices(connection)) == 8


async def test_an_unknown_profile_is_told_in_the_agents_own_words(topology: LocalTopology) -> None:
    await interpret(FleetNatsScore(), topology)
    with pytest.raises(BrokenError, match="no profile named 'absent'"):
        await interpret(FleetAgentScore(5, "absent"), topology)
