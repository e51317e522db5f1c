"""A runtime on the test process's own podman, with whatever policy a test gives the device."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.policy import DevicePolicy
from tests.agent.podman.containers import OURS, THEIRS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.podman import PodmanMachine


@pytest.fixture
async def device(podman: PodmanMachine) -> AsyncIterator[Callable[..., PodmanRuntime]]:
    """Make a runtime whose device allows what is given."""
    made: list[PodmanRuntime] = []

    def make(**allowed: Any) -> PodmanRuntime:
        policy = DevicePolicy(**allowed)
        made.append(PodmanRuntime(PodmanSettings(socket=podman.socket, policy=policy)))
        return made[-1]

    yield make
    for runtime in made:
        await runtime.close()


@pytest.fixture
def runtime(device: Callable[..., PodmanRuntime]) -> PodmanRuntime:
    """A device that allows nothing beyond the ordinary."""
    return device()


@pytest.fixture
async def own_networks(podman: PodmanMachine, runtime: PodmanRuntime) -> None:
    """Have networks of `OURS` and `THEIRS` that no test process beside this one gets in the way of.

    Bridges, the name server and the packet filter are the machine's: podman takes the first name of
    a bridge that is free, and the first subnet, where the name server may still tell of others.
    """
    podman.run("network", "create", f"first-{os.getpid()}")
    for letter, deployment in (("o", OURS), ("t", THEIRS)):
        body = {
            "name": f"fleet-{deployment}",
            "driver": "bridge",
            "dns_enabled": True,
            "network_interface": f"fl{letter}{os.getpid()}",
        }
        await runtime.api.post("/networks/create", body)
