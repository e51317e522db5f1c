"""On a real podman: with no socket on the device, the agent starts podman's service itself."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import RunState, RuntimeUnavailableError
from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.podman.service import own_socket
from tests.agent.podman.containers import SHOP, inspected, service
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.podman import PodmanMachine

pytestmark = [
    pytest.mark.podman,
    pytest.mark.timeout(60),
    # podman-py does not close a socket on which nobody answers.
    pytest.mark.filterwarnings("ignore:unclosed <podman.api.uds:ResourceWarning"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A run folder with a path short enough for a socket; the device has no podman socket."""
    default = own_socket(os.environ, os.geteuid())
    with socket.socket(socket.AF_UNIX) as connection:
        if connection.connect_ex(str(default)) == 0:
            pytest.skip(f"somebody's podman answers at {default}")
    path = Path(tempfile.mkdtemp(prefix="fleet-run-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
    gc.collect()


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


async def test_it_starts_podman_and_ends_it_and_containers_go_on(
    podman: PodmanMachine, folder: Path
) -> None:
    executable = str(podman.write_executable())
    runtime = PodmanRuntime(PodmanSettings(executable=executable, run_folder=folder / "run"))
    assert (await runtime.describe()).startswith("podman ")
    found = await runtime.ensure_service_running(service())
    assert found.state is RunState.RUNNING
    assert is_listening(folder / "run" / "podman.sock")
    await runtime.close()
    await eventually(lambda: not is_listening(folder / "run" / "podman.sock"))
    assert inspected(podman, SHOP.runtime_name)["State"]["Running"]
    again = PodmanRuntime(PodmanSettings(executable=executable, run_folder=folder / "run"))
    assert (await again.ensure_service_running(service())).container_id == found.container_id
    await again.close()


async def test_killed_it_is_started_again_by_the_next_calls(
    podman: PodmanMachine, folder: Path
) -> None:
    settings = PodmanSettings(executable=str(podman.write_executable()), run_folder=folder)
    runtime = PodmanRuntime(settings)
    await runtime.ensure_service_running(service())
    process = runtime._service._process
    assert process is not None
    process.kill()
    await process.wait()
    with pytest.raises(RuntimeUnavailableError):
        await runtime.list_managed_services()
    (listed,) = await runtime.list_managed_services()
    assert listed.state is RunState.RUNNING
    await runtime.close()


async def test_a_stale_socket_is_no_hindrance(podman: PodmanMachine, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "podman.sock"))
    settings = PodmanSettings(executable=str(podman.write_executable()), run_folder=folder)
    runtime = PodmanRuntime(settings)
    assert await runtime.list_managed_services() == []
    await runtime.close()


async def test_without_podman_it_says_how_to_have_it(folder: Path) -> None:
    runtime = PodmanRuntime(PodmanSettings(executable="/no/podman", run_folder=folder))
    with pytest.raises(RuntimeUnavailableError, match="/no/podman: No such file") as refused:
        await runtime.describe()
    assert "apt-get install podman" in refused.value.remedy
    await runtime.close()


async def test_a_podman_that_ends_at_once_is_quoted(folder: Path) -> None:
    program = folder / "podman"
    program.write_text("#!/bin/sh\necho 'no cgroups here' >&2\nexit 1\n")
    program.chmod(0o755)
    runtime = PodmanRuntime(PodmanSettings(executable=str(program), run_folder=folder))
    for _ in range(2):
        with pytest.raises(RuntimeUnavailableError, match="no cgroups here"):
            await runtime.describe()
    await runtime.close()


async def test_a_run_folder_that_cannot_be_is_told_with_what_to_set(folder: Path) -> None:
    (folder / "file").write_text("")
    runtime = PodmanRuntime(PodmanSettings(run_folder=folder / "file" / "run"))
    with pytest.raises(RuntimeUnavailableError, match="no place for podman's socket") as refused:
        await runtime.describe()
    assert "[podman] socket" in refused.value.remedy
    await runtime.close()


async def test_a_configured_socket_that_does_not_answer_is_not_replaced(folder: Path) -> None:
    runtime = PodmanRuntime(PodmanSettings(socket=folder / "absent.sock", run_folder=folder))
    with pytest.raises(RuntimeUnavailableError, match=r"absent\.sock") as refused:
        await runtime.describe()
    assert "podman.socket" in refused.value.remedy
    await runtime.close()
