"""What tests of the agent stand on: a podman of the test process's own, and a very small disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import ConnectionSettings, connect, ensure_buckets
from tests.agent.wire import Operator
from tests.support.podman import PodmanMachine, why_not

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.nats_server import NatsServer


@pytest.fixture(scope="session")
def podman_machine() -> Iterator[PodmanMachine]:
    """The test process's own podman, with its service running."""
    reason = why_not()
    if reason:
        if os.environ.get("FLEET_TEST_PODMAN") == "required":
            pytest.fail(f"podman is required here: {reason}")
        pytest.skip(f"needs podman: {reason}")
    # podman takes no run root of more than 50 characters.
    machine = PodmanMachine(Path(tempfile.mkdtemp(prefix="fleet-podman-", dir="/tmp")))
    machine.make_image()
    machine.start()
    yield machine
    machine.destroy()


@pytest.fixture
def podman(podman_machine: PodmanMachine) -> Iterator[PodmanMachine]:
    """That podman, for one test: what the test leaves is removed."""
    podman_machine.start()
    yield podman_machine
    podman_machine.clean()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root and mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
async def operator(nats_server: NatsServer) -> AsyncIterator[Operator]:
    """The other side of the wire, on a server of the test's own with its buckets made."""
    settings = ConnectionSettings((nats_server.url,), ping_interval_s=0.5)
    async with await connect(settings) as connection:
        await ensure_buckets(connection)
        operator = Operator(connection)
        await operator.listen()
        yield operator
