"""On a real podman: what cannot be started is told with podman's exit code, and leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerStartError, ImageNotFoundError, RunState
from tests.agent.podman.containers import init, names, service

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program"])
async def test_a_missing_program(
    runtime: PodmanRuntime, podman: PodmanMachine, program: str
) -> None:
    with pytest.raises(ContainerStartError, match=program) as refused:
        await runtime.ensure_service_running(service(args=[program]))
    assert refused.value.exit_code == 127
    with pytest.raises(ContainerStartError, match=program) as refused:
        await runtime.run_to_completion(init("", args=[program]), 5)
    assert refused.value.exit_code == 127
    assert names(podman) == set()


@pytest.mark.parametrize("program", ["/etc", "/etc/hosts"])
async def test_a_program_that_is_none(
    runtime: PodmanRuntime, podman: PodmanMachine, program: str
) -> None:
    with pytest.raises(ContainerStartError, match="permission denied") as refused:
        await runtime.ensure_service_running(service(args=[program]))
    assert refused.value.exit_code == 126
    assert names(podman) == set()


async def test_a_working_directory_that_cannot_be_is_no_missing_program(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    with pytest.raises(ContainerStartError):
        await runtime.ensure_service_running(service(working_dir="/etc/hosts/below"))
    assert names(podman) == set()


@pytest.mark.parametrize("port", ["99999:80", "0.0.0.999:8000:80", "1.2.3.4:8000:80"])
async def test_a_port_or_address_that_this_device_does_not_have(
    runtime: PodmanRuntime, podman: PodmanMachine, port: str
) -> None:
    with pytest.raises(ContainerStartError) as refused:
        await runtime.ensure_service_running(service(ports=[port]))
    assert refused.value.exit_code == 125
    assert names(podman) == set()


async def test_after_a_refused_start_a_mended_one_runs(runtime: PodmanRuntime) -> None:
    with pytest.raises(ContainerStartError):
        await runtime.ensure_service_running(service(args=["nothing"]))
    found = await runtime.ensure_service_running(service(attempt=1))
    assert (found.state, found.attempt) == (RunState.RUNNING, 1)


async def test_what_ran_before_a_refused_replacement_is_gone_and_says_so(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    """A deployment's old container is stopped for the new one; no half of either stays."""
    await runtime.ensure_service_running(service())
    with pytest.raises(ContainerStartError):
        await runtime.ensure_service_running(service(args=["nothing"], attempt=1))
    assert names(podman) == set()
    assert await runtime.list_managed_services() == []


async def test_an_image_that_is_not_here_is_not_pulled_by_a_start(runtime: PodmanRuntime) -> None:
    with pytest.raises(ImageNotFoundError, match="not on this device"):
        await runtime.ensure_service_running(service(image="registry.example/absent:1"))
