"""The podman runtime passes the suite of all runtimes, on a real podman."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from tests.agent.runtime_suite import CRASHING, FAILING, PLAIN, SLOW, Device, RuntimeSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
SCRIPTS = {
    PLAIN: 'case "$HOSTNAME" in migrate) exit 0;; esac; trap "exit 0" TERM; sleep 1000 & wait',
    FAILING: "echo hello; echo giving up; exit 3",
    SLOW: "sleep 1000",
    CRASHING: "sleep 0.5; exit 1",
}


class PodmanDevice(Device):
    """A device with a real podman."""

    def __init__(self, podman: PodmanMachine) -> None:
        self.runtime = PodmanRuntime(PodmanSettings(socket=podman.socket))

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 1.5))


@pytest.fixture(scope="module")
def images(podman_machine: PodmanMachine) -> None:
    for image, script in SCRIPTS.items():
        command = script.replace('"', '\\"')
        podman_machine.make_image(image, f'CMD ["/bin/sh", "-c", "{command}"]')


@pytest.mark.usefixtures("images")
class TestPodmanRuntime(RuntimeSuite):
    """The suite."""

    @pytest.fixture
    async def device(self, podman: PodmanMachine) -> AsyncIterator[Device]:
        device = PodmanDevice(podman)
        yield device
        await device.runtime.close()
