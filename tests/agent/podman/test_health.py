"""On a real podman: health checks of services, by programs in them and from the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fleet_core.contracts.probes import Probe
from tests.agent.podman.containers import OURS, SHOP, service, serving
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.health.checks import CheckResult
    from fleet_agent.runtime.contract import ContainerKey
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


def probe(**check: Any) -> Probe:
    return Probe.model_validate({"timeout_s": 2, **check})


async def checked(runtime: PodmanRuntime, key: ContainerKey = SHOP, **check: Any) -> CheckResult:
    return await runtime.check_health(key, probe(**check))


async def is_up(runtime: PodmanRuntime, port: int, key: ContainerKey = SHOP) -> None:
    async def answers() -> bool:
        return (await checked(runtime, key, tcp={"port": port})).succeeded

    await eventually_reads(answers, expected=True)


async def test_a_programs_exit_code_is_the_answer(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service())
    assert (await checked(runtime, exec=["true"])).succeeded
    failed = await checked(runtime, exec=["sh", "-c", "echo not yet; echo why >&2; exit 3"])
    assert (failed.succeeded, failed.message) == (False, "not yet\nwhy")
    silent = await checked(runtime, exec=["sh", "-c", "exit 3"])
    assert (silent.succeeded, silent.message) == (False, "exit code 3")


async def test_a_program_that_is_missing_or_hangs_has_failed(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service())
    missing = await checked(runtime, exec=["no-such-program"])
    assert not missing.succeeded
    assert "no-such-program" in missing.message
    hangs = await checked(runtime, exec=["sh", "-c", "sleep 99; true"], timeout_s=1)
    assert (hangs.succeeded, hangs.message) == (False, "command timed out after 1 s")


async def test_http_and_tcp_reach_a_port_that_is_not_published(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(serving(port=8080))
    await is_up(runtime, 8080)
    assert (await checked(runtime, http={"port": 8080, "path": "/index.html"})).succeeded
    absent = await checked(runtime, http={"port": 8080, "path": "/absent"})
    assert absent.message == "HTTP probe failed with statuscode: 404"
    for name in ("http", "tcp"):
        refused = await runtime.check_health(SHOP, probe(**{name: {"port": 81}}))
        assert not refused.succeeded
        assert "connect: connection refused" in refused.message


@pytest.mark.usefixtures("own_networks")
async def test_a_published_port_is_checked_where_it_is_published(
    runtime: PodmanRuntime,
) -> None:
    spec = serving(ports=["127.0.0.1:18573:80"], deployment=OURS)
    await runtime.ensure_service_running(spec)
    await is_up(runtime, 80, spec.key)
    assert (await checked(runtime, spec.key, http={"port": 80})).succeeded


async def test_on_the_devices_network_it_is_the_devices_port(
    device: Callable[..., PodmanRuntime],
) -> None:
    runtime = device(host_network=True)
    await runtime.ensure_service_running(serving(port=18574, network="host"))
    await is_up(runtime, 18574)


async def test_who_takes_a_connection_and_says_nothing_has_failed(runtime: PodmanRuntime) -> None:
    silent = "while true; do nc -l -p 80 -e sleep 99; done"
    await runtime.ensure_service_running(service(silent, stop_grace_s=0))

    async def message() -> bool:
        result = await checked(runtime, http={"port": 80}, timeout_s=1)
        return not result.succeeded and "Client.Timeout exceeded" in result.message

    await eventually_reads(message, expected=True)


async def test_without_a_network_only_programs_can_tell(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service(network="none"))
    assert (await checked(runtime, exec=["true"])).succeeded
    failed = await checked(runtime, tcp={"port": 80})
    assert (failed.succeeded, failed.message) == (
        False,
        "port 80 cannot be reached: the container has no network",
    )


async def test_a_container_that_is_absent_or_over_has_failed_and_it_is_said_why(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    assert not (await checked(runtime, exec=["true"])).succeeded
    for name in ("http", "tcp"):
        gone = await runtime.check_health(SHOP, probe(**{name: {"port": 80}}))
        assert gone.message == "the container is gone"
    await runtime.ensure_service_running(service(ports=["18575:80"]))
    podman.run("stop", "--time", "1", SHOP.runtime_name)
    assert not (await checked(runtime, exec=["true"])).succeeded
    for name in ("http", "tcp"):
        result = await runtime.check_health(SHOP, probe(**{name: {"port": 80}}))
        assert (result.succeeded, result.message) == (False, "the container does not run")
