"""On a real podman: what a container cannot do by default, seen inside; what a policy opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerConfigError
from tests.agent.podman.containers import (
    SHOP,
    answer,
    init,
    inspected,
    names,
    process_status,
    run,
    said,
    service,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NET_ADMIN, SYS_TIME = 1 << 12, 1 << 25


def same_network(*processes: object) -> bool:
    return len({Path(f"/proc/{process}/ns/net").readlink() for process in processes}) == 1


async def test_by_default_it_has_no_capability_and_gets_none(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service())
    for process in ("1", "self"):
        status = process_status(await said(runtime, f"cat /proc/{process}/status"))
        assert {int(status[name], 16) for name in CAPABILITIES} == {0}, process
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), process


async def test_an_ordinary_user_has_none_either(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service(user="1000:1000"))
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert {int(status[name], 16) for name in CAPABILITIES} == {0}
    assert status["Uid"].split() == ["1000"] * 4


async def test_by_default_its_root_is_read_only_and_nothing_but_its_mounts_is_not(
    runtime: PodmanRuntime,
) -> None:
    await runtime.ensure_service_running(service(volumes=["data:/data"]))
    await said(runtime, "touch /data/x")
    for path in ("/x", "/etc/x", "/run/x", "/bin/x", "/proc/sys/kernel/hostname", "/sys/x"):
        assert (await run(runtime, f"echo x > {path}")).exit_code != 0, path
    for script in ("busybox mount -o remount,rw /", "busybox mount -t tmpfs none /run"):
        assert (await run(runtime, script)).exit_code != 0, script


async def test_by_default_it_sees_neither_processes_nor_devices_of_the_host(
    runtime: PodmanRuntime,
) -> None:
    await runtime.ensure_service_running(service())
    processes = (await said(runtime, "busybox ps -o pid")).split()[1:]
    assert len(processes) < 8, processes
    devices = set((await said(runtime, "ls /dev")).split())
    assert not {"mem", "kmsg", "vda", "sda", "fuse"} & devices
    # What needs a capability: changing owners, the host's name, raw sockets.
    for script in ("busybox hostname evil", "busybox mknod /dev/shm/x b 8 0", "busybox dmesg"):
        assert (await run(runtime, script)).exit_code != 0, script


async def test_ports_below_1024_are_its_own_to_listen_at_without_a_capability(
    runtime: PodmanRuntime,
) -> None:
    await runtime.ensure_service_running(service("httpd -f -p 80 -h /data", user="1000"))
    assert await said(runtime, "busybox netstat -ltn | busybox grep -c ':80 '") == "1"


async def test_a_capability_that_is_allowed_and_asked_for_is_the_only_one(
    device: Callable[..., PodmanRuntime],
) -> None:
    runtime = device(capabilities=frozenset(("NET_ADMIN", "SYS_TIME")))
    await runtime.ensure_service_running(service(cap_add=["NET_ADMIN"]))
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {NET_ADMIN}
    assert status["NoNewPrivs"] == "1"
    await said(runtime, "busybox ip link set lo down")
    await runtime.ensure_service_running(service(attempt=1))
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert int(status["CapBnd"], 16) == 0


async def test_all_capabilities_where_the_device_allows_all(
    device: Callable[..., PodmanRuntime],
) -> None:
    runtime = device(capabilities=frozenset(("ALL",)))
    await runtime.ensure_service_running(service(cap_add=["ALL"]))
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert int(status["CapEff"], 16) & NET_ADMIN
    assert int(status["CapEff"], 16) & SYS_TIME


async def test_capabilities_that_are_not_allowed_are_refused(
    device: Callable[..., PodmanRuntime], podman: PodmanMachine
) -> None:
    runtime = device(capabilities=frozenset(("NET_ADMIN",)))
    for asked in (["SYS_ADMIN"], ["NET_ADMIN", "SYS_TIME"], ["ALL"], ["CAP_SYS_ADMIN"]):
        with pytest.raises(ContainerConfigError, match=f"the capability {asked[-1]}") as refused:
            await runtime.ensure_service_running(service(cap_add=asked))
        assert "[containers] allow_capabilities" in refused.value.remedy
    assert names(podman) == set()


async def test_privileged_is_refused_unless_the_device_allows_it(
    device: Callable[..., PodmanRuntime], podman: PodmanMachine
) -> None:
    with pytest.raises(ContainerConfigError, match="asks for privileged") as refused:
        await device().ensure_service_running(service(privileged=True))
    assert "[containers] allow_privileged = true" in refused.value.remedy
    assert names(podman) == set()
    runtime = device(privileged=True)
    await runtime.ensure_service_running(service(privileged=True))
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert int(status["CapEff"], 16) & SYS_TIME
    assert (await run(runtime, "touch /etc/x")).exit_code != 0  # its root is still read-only


async def test_a_device_that_allows_privileged_hardens_those_that_do_not_ask(
    device: Callable[..., PodmanRuntime],
) -> None:
    runtime = device(privileged=True, host_network=True, capabilities=frozenset(("SYS_ADMIN",)))
    await runtime.ensure_service_running(service())
    status = process_status(await said(runtime, "cat /proc/1/status"))
    assert int(status["CapBnd"], 16) == 0


async def test_the_devices_network_is_refused_unless_the_device_allows_it(
    device: Callable[..., PodmanRuntime], podman: PodmanMachine
) -> None:
    with pytest.raises(ContainerConfigError, match="the device's network") as refused:
        await device().ensure_service_running(service(network="host"))
    assert "[containers] allow_host_network = true" in refused.value.remedy
    assert names(podman) == set()
    runtime = device(host_network=True)
    await runtime.ensure_service_running(service(network="host"))
    process = inspected(podman)["State"]["Pid"]
    assert same_network(process, "self")


async def test_a_running_service_stays_what_it_is_until_another_run_is_asked_for(
    device: Callable[..., PodmanRuntime],
) -> None:
    """A device's owner who forbids what runs has it refused at the next start, not killed."""
    allowed = await device(privileged=True).ensure_service_running(service(privileged=True))
    strict = device()
    again = await strict.ensure_service_running(service(privileged=True))
    assert again.container_id == allowed.container_id
    with pytest.raises(ContainerConfigError):
        await strict.ensure_service_running(service(privileged=True, attempt=1))
    left = await strict.container_status(SHOP)
    assert left is not None
    assert left.container_id == allowed.container_id


async def test_init_containers_are_hardened_and_refused_alike(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    code, log = await answer(runtime, init("cat /proc/self/status; touch /x"))
    assert code != 0
    assert int(process_status(log)["CapEff"], 16) == 0
    with pytest.raises(ContainerConfigError):
        await runtime.run_to_completion(init("true", name="evil", privileged=True), 5)
    assert names(podman) == {"fleet-shop.migrate"}
