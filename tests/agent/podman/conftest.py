"""A runtime on the test process's own podman, with whatever policy a test gives the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.policy import DevicePolicy

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
