"""On a real podman: published ports, the network of a deployment, and no network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerKey, ContainerStartError, RunState
from tests.agent.podman.containers import OURS, SHOP, inspected, names, said, service, serving
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of the device that somebody else listens at."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - so it is taken wholly
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fetch(port: int, address: str = "127.0.0.1") -> bytes:
    with socket.create_connection((address, port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answered = b""
        while chunk := connection.recv(4096):
            answered += chunk
    return answered.rpartition(b"\r\n\r\n")[2]


async def fetched(port: int) -> bytes:
    try:
        return fetch(port)
    except OSError:
        return b""


@pytest.mark.usefixtures("own_networks")
async def test_a_published_port_leads_into_the_container(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    port = free_port()
    await runtime.ensure_service_running(serving(ports=[f"{port}:80"], deployment=OURS))
    await eventually_reads(lambda: fetched(port), b"hello\n")
    ports = inspected(podman, f"fleet-{OURS}.web")["NetworkSettings"]["Ports"]
    assert [each["HostPort"] for each in ports["80/tcp"]] == [str(port)]


async def test_an_address_and_udp_and_a_port_that_podman_chooses(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    first, second = free_port(), free_port()
    ports = [f"127.0.0.1:{first}:80", f"{second}:53/udp", "9000"]
    await runtime.ensure_service_running(serving(ports=ports))
    told = inspected(podman)["NetworkSettings"]["Ports"]
    assert told["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(first)}]
    assert [each["HostPort"] for each in told["53/udp"]] == [str(second)]
    (chosen,) = told["9000/tcp"]
    assert 1024 <= int(chosen["HostPort"]) < 65536


async def test_a_port_that_is_taken_is_a_start_error_that_leaves_nothing(
    runtime: PodmanRuntime, podman: PodmanMachine, taken: int
) -> None:
    with pytest.raises(ContainerStartError, match=str(taken)) as refused:
        await runtime.ensure_service_running(service(ports=[f"{taken}:80"]))
    assert refused.value.exit_code == 125
    assert "in use" in refused.value.message
    assert names(podman) == set()


async def test_a_port_that_another_deployment_holds_is_free_again_once_that_is_gone(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    port = free_port()
    await runtime.ensure_service_running(service(ports=[f"{port}:80"], deployment="first"))
    second = service(ports=[f"{port}:80"], deployment="second")
    with pytest.raises(ContainerStartError) as refused:
        await runtime.ensure_service_running(second)
    assert refused.value.exit_code == 125
    assert names(podman) == {"fleet-first.web"}
    await runtime.remove(ContainerKey("first", "web"))
    found = await runtime.ensure_service_running(second)
    assert found.state is RunState.RUNNING


@pytest.mark.usefixtures("own_networks")
async def test_a_replacement_takes_over_the_port(runtime: PodmanRuntime) -> None:
    port = free_port()
    for attempt in range(3):
        spec = serving(ports=[f"{port}:80"], attempt=attempt, deployment=OURS)
        await runtime.ensure_service_running(spec)
        await eventually_reads(lambda: fetched(port), b"hello\n")


async def test_without_a_network_there_is_only_the_loopback(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service(network="none"))
    assert await said(runtime, "ls /sys/class/net") == "lo"
    assert "fleet-shop" not in podman.run("network", "ls")


async def test_a_network_that_somebody_removed_is_made_anew(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service())
    podman.run("network", "rm", "--force", "fleet-shop")

    async def runs() -> bool:
        try:
            found = await runtime.ensure_service_running(service(attempt=1))
        except ContainerStartError:
            return False  # what was known of it is forgotten; the reconciler tries again
        return found.state is RunState.RUNNING

    await eventually_reads(runs, expected=True)
    assert "fleet-shop" in podman.run("network", "ls")


async def test_a_forgotten_deployments_network_goes_unless_a_container_still_uses_it(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(service())
    await runtime.forget_deployment("shop")
    assert "fleet-shop" in podman.run("network", "ls")
    await runtime.remove(SHOP)
    await runtime.forget_deployment("shop")
    await runtime.forget_deployment("shop")
    assert "fleet-shop" not in podman.run("network", "ls")
    await runtime.ensure_service_running(service())
    assert "fleet-shop" in podman.run("network", "ls")
