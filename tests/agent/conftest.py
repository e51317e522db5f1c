"""What tests of the agent stand on: the other side of its wire, and a very small disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from fleet_core.messaging import ConnectionSettings, connect, ensure_buckets
from tests.agent.wire import Operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.nats_server import NatsServer


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
