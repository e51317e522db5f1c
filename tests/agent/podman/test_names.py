"""On a real podman: the names of services resolve within their deployment, and nowhere else."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerKey
from tests.agent.podman.containers import OURS, THEIRS, inspected, run, said, service, serving
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [
    pytest.mark.podman,
    pytest.mark.timeout(60),
    pytest.mark.usefixtures("own_networks"),
]
WEB = ContainerKey(OURS, "web")


async def resolved(runtime: PodmanRuntime, name: str, key: ContainerKey = WEB) -> list[str]:
    """Return the addresses that a name has in a container."""
    outcome = await run(runtime, f"busybox timeout 3 nslookup {name}", key)
    return re.findall(r"^Address: ([\d.]+)$", outcome.stdout.decode(), re.MULTILINE)


async def test_services_of_a_deployment_find_each_other_by_name(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(serving(name="api", deployment=OURS))
    await runtime.ensure_service_running(service(deployment=OURS))
    found: list[str] = []

    async def resolves() -> bool:
        found[:] = await resolved(runtime, "api")
        return bool(found)

    await eventually_reads(resolves, expected=True)
    assert await said(runtime, f"wget -q -O - http://{found[0]}:80/", WEB) == "hello"


async def test_another_deployments_names_and_containers_are_out_of_reach(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    await runtime.ensure_service_running(serving(name="api", deployment=THEIRS))
    await runtime.ensure_service_running(service(deployment=OURS))
    await runtime.ensure_service_running(serving(name="beside", deployment=OURS))

    async def resolves() -> bool:
        return bool(await resolved(runtime, "beside"))

    await eventually_reads(resolves, expected=True)
    for name in ("api", f"fleet-{THEIRS}.api", "api.dns.podman"):
        assert await resolved(runtime, name) == [], name
    networks = inspected(podman, WEB.runtime_name)["NetworkSettings"]["Networks"]
    assert list(networks) == [f"fleet-{OURS}"]
    other = inspected(podman, f"fleet-{THEIRS}.api")["NetworkSettings"]["Networks"]
    assert list(other) == [f"fleet-{THEIRS}"]
    assert networks[f"fleet-{OURS}"]["Gateway"] != other[f"fleet-{THEIRS}"]["Gateway"]


async def test_the_same_name_in_two_deployments_is_each_ones_own(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    for deployment in (OURS, THEIRS):
        await runtime.ensure_service_running(service(deployment=deployment))
    for key in (WEB, ContainerKey(THEIRS, "web")):
        networks = inspected(podman, key.runtime_name)["NetworkSettings"]["Networks"]
        (own,) = (each["IPAddress"] for each in networks.values())
        await eventually_reads(partial(resolved, runtime, "web", key), [own])
