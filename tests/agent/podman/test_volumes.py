"""On a real podman: named volumes, bind mounts within what the device allows, and tmpfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import ContainerConfigError, ContainerKey, ContainerStartError
from tests.agent.podman.containers import answer, init, names, run, said, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


async def test_a_named_volume_is_kept_over_replacement_and_removal(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    spec = service(volumes=["data:/data"])
    await runtime.ensure_service_running(spec)
    await said(runtime, "echo kept > /data/file")
    await runtime.ensure_service_running(service(volumes=["data:/data"], attempt=1))
    assert await said(runtime, "cat /data/file") == "kept"
    await runtime.remove(spec.key)
    await runtime.forget_deployment("shop")
    assert podman.run("volume", "ls", "--quiet").split() == ["fleet-shop.data"]
    await runtime.ensure_service_running(spec)
    assert await said(runtime, "cat /data/file") == "kept"


async def test_a_named_volume_is_shared_in_its_deployment_and_with_no_other(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    write = init("echo secret > /data/file", volumes=["data:/data"])
    assert (await answer(runtime, write))[0] == 0
    read = init("cat /data/file", name="read", volumes=["data:/data"])
    assert await answer(runtime, read) == (0, "secret")
    other = init("ls /data", deployment="other", volumes=["data:/data"])
    assert await answer(runtime, other) == (0, "")
    volumes = set(podman.run("volume", "ls", "--quiet").split())
    assert volumes == {"fleet-shop.data", "fleet-other.data"}


async def test_a_volume_may_be_read_only_for_one_of_two(runtime: PodmanRuntime) -> None:
    await runtime.ensure_service_running(service(volumes=["data:/data"]))
    await runtime.ensure_service_running(service(name="reader", volumes=["data:/mine:ro"]))
    await said(runtime, "echo seen > /data/file")
    reader = ContainerKey("shop", "reader")
    assert await said(runtime, "cat /mine/file", reader) == "seen"
    outcome = await run(runtime, "echo no > /mine/file", reader)
    assert outcome.exit_code != 0
    assert b"Read-only file system" in outcome.stderr


async def test_an_allowed_host_path_is_mounted_read_write_or_read_only(
    device: Callable[..., PodmanRuntime], tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "from-device").write_text("hello")
    runtime = device(host_paths=(str(tmp_path),))
    writes = init("cat /mnt/from-device; echo hi > /mnt/back", volumes=[f"{tmp_path}/below:/mnt"])
    assert await answer(runtime, writes) == (0, "hello")
    assert (tmp_path / "below" / "back").read_text() == "hi\n"
    read_only = init("echo no > /mnt/x", name="ro", volumes=[f"{tmp_path}/below:/mnt:ro"])
    assert (await answer(runtime, read_only))[0] != 0
    assert not (tmp_path / "below" / "x").exists()


async def test_a_symbolic_link_that_stays_inside_is_followed(
    device: Callable[..., PodmanRuntime], tmp_path: Path
) -> None:
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "file").write_text("inside")
    (tmp_path / "link").symlink_to("current")
    runtime = device(host_paths=(str(tmp_path),))
    spec = init("cat /mnt/file", volumes=[f"{tmp_path}/link:/mnt:ro"])
    assert await answer(runtime, spec) == (0, "inside")


async def test_host_paths_that_are_not_allowed_are_refused_with_the_key_that_would(
    device: Callable[..., PodmanRuntime], podman: PodmanMachine, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "out").symlink_to("/etc")
    (tmp_path / "allowed-not").mkdir()
    runtime = device(host_paths=(str(allowed),))
    for source in (
        "/",
        "/etc",
        str(tmp_path),
        f"{tmp_path}/allowed-not",
        f"{allowed}/../allowed-not",
        f"{allowed}/..",
        f"{allowed}/out",
        f"{allowed}/out/ssl",
    ):
        with pytest.raises(ContainerConfigError) as refused:
            await runtime.ensure_service_running(service(volumes=[f"{source}:/mnt"]))
        assert refused.value.message == (
            f"it asks for the device's path {source}, which this device does not allow"
        )
        assert "[containers] allow_host_paths" in refused.value.remedy
    assert names(podman) == set()


async def test_an_unknown_option_is_refused_with_those_that_there_are(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    with pytest.raises(ContainerConfigError, match="option suid is not known") as refused:
        await runtime.ensure_service_running(service(volumes=["data:/data:ro,suid"]))
    assert "nosuid" in refused.value.remedy
    assert podman.run("volume", "ls", "--quiet") == ""


async def test_a_host_path_that_is_not_there_is_a_start_error_of_the_container(
    device: Callable[..., PodmanRuntime], podman: PodmanMachine, tmp_path: Path
) -> None:
    runtime = device(host_paths=(str(tmp_path),))
    with pytest.raises(ContainerStartError, match="absent") as refused:
        await runtime.ensure_service_running(service(volumes=[f"{tmp_path}/absent:/mnt"]))
    assert refused.value.exit_code == 125  # the program is not what is missing
    assert names(podman) == set()


async def test_a_tmpfs_has_its_size_and_is_empty_at_each_start(runtime: PodmanRuntime) -> None:
    tmpfs = ["/scratch:size=2m", "/more"]
    await runtime.ensure_service_running(service(tmpfs=tmpfs))
    size_kib = await said(runtime, "busybox df -k /scratch | tail -1 | busybox awk '{print $2}'")
    assert size_kib == "2048"
    await said(runtime, "touch /scratch/x /more/y")
    full = await run(runtime, "dd if=/dev/zero of=/scratch/big bs=1k count=4096")
    assert b"No space left" in full.stderr
    await runtime.ensure_service_running(service(tmpfs=tmpfs, attempt=1))
    assert await said(runtime, "ls /scratch /more | busybox grep -c '[xy]' || true") == "0"
