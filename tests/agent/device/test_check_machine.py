"""What ``fleet-agent check`` finds of the machine: podman, its prerequisites, disks, the clock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet_agent.config_model import AgentConfig
from fleet_agent.device.checks.clock import check_clock, judge_date
from fleet_agent.device.checks.disk import MIB, check_state_folder, check_storage, judge
from fleet_agent.device.checks.finding import Finding, Level, Subject
from fleet_agent.device.checks.podman import check_podman, check_socket
from fleet_agent.device.checks.rootless import check_rootless
from fleet_agent.device.machine import Machine
from fleet_agent.storage.state_folder import AgentRecord, StateFolder, default_folder
from tests.support.podman import PodmanMachine, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.agent.device.conftest import Recorded

needs_podman = pytest.mark.skipif(bool(why_not()), reason=why_not())


def configured(machine: Machine, **sections: dict[str, object]) -> Subject:
    tree: dict[str, object] = {
        "agent": {"device_id": "van-1", **sections.pop("agent", {})},
        "nats": {"urls": ["nats://127.0.0.1:1"]},
    }
    return Subject(machine, AgentConfig.model_validate({**tree, **sections}))


def levels(found: list[Finding]) -> list[str]:
    return [each.level.value for each in found]


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodmanMachine]:
    del tmp_path_factory  # a socket's path must be short
    folder = Path("/tmp/fleet-check-podman")  # noqa: S108 - as above
    folder.mkdir()
    machine = PodmanMachine(folder)
    machine.start()
    yield machine
    machine.destroy()


@needs_podman
@pytest.mark.podman
async def test_a_real_podman(machine: Machine, podman: PodmanMachine) -> None:
    program = await asyncio.to_thread(podman.write_executable)
    section = {"executable": str(program), "socket": str(podman.socket)}
    subject = configured(machine, podman=section)
    (version,) = await check_podman(subject)
    assert version.level is Level.OK
    assert version.what.startswith(f"{program} ")
    (socket,) = await check_socket(subject)
    assert socket.level is Level.OK
    assert socket.what.endswith(f" answers at {podman.socket}")
    (storage,) = await check_storage(subject)
    assert storage.what.startswith(f"{podman.folder}/root: ")


async def test_no_podman_at_all(machine: Machine) -> None:
    subject = configured(machine, podman={"executable": "/absent/podman"})
    (version,) = await check_podman(subject)
    assert version.level is Level.FAIL
    assert "apt-get install podman" in version.remedy
    (socket,) = await check_socket(subject)
    assert socket.level is Level.FAIL
    assert levels(await check_storage(subject)) == ["skip"]


@pytest.mark.parametrize(
    ("says", "level", "told"),
    [
        ('{"Client":{"Version":"3.4.4"}}', Level.FAIL, "3.4.4 is too old"),
        ('{"Client":{"Version":"5.0.0-rc1"}}', Level.OK, "5.0.0-rc1"),
        ("hello", Level.FAIL, "does not tell its version"),
        ("", Level.FAIL, "does not tell its version"),
    ],
)
async def test_versions(
    machine: Machine, tmp_path: Path, says: str, level: Level, told: str
) -> None:
    program = await asyncio.to_thread(script, tmp_path / "podman", f"echo '{says}'")
    (found,) = await check_podman(configured(machine, podman={"executable": program}))
    assert found.level is level
    assert told in found.what


async def test_a_podman_that_fails_is_quoted(machine: Machine, tmp_path: Path) -> None:
    body = "echo 'no runroot' >&2; exit 125"
    program = await asyncio.to_thread(script, tmp_path / "podman", body)
    (found,) = await check_podman(configured(machine, podman={"executable": program}))
    assert found.level is Level.FAIL
    assert found.what.endswith("no runroot")


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_socket_that_is_not_podmans(machine: Machine, tmp_path: Path) -> None:
    async with speaking(tmp_path / "s", b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n"):
        section = {"socket": str(tmp_path / "s")}
        (found,) = await check_socket(configured(machine, podman=section))
        assert found.level is Level.FAIL
        assert found.what.endswith("what answers is not podman")
    async with speaking(tmp_path / "t", b"garbage"):
        section = {"socket": str(tmp_path / "t")}
        (found,) = await check_socket(configured(machine, podman=section))
        assert found.what.endswith("what answers does not speak HTTP")


async def test_the_default_socket_or_one_of_the_agents_own(
    users_machine: Machine, tmp_path: Path, recorded: Recorded
) -> None:
    environ = {"PATH": str(recorded.folder), "XDG_RUNTIME_DIR": str(tmp_path)}
    machine = Machine(1000, "ada", tmp_path, environ, users_machine.root)
    await asyncio.to_thread(script, recorded.folder / "podman", "exit 1")
    (found,) = await check_socket(configured(machine))
    assert found.level is Level.OK
    assert found.what.endswith("the agent starts podman's service itself")
    (tmp_path / "podman").mkdir()
    head = b"HTTP/1.1 200 OK\r\nLibpod-API-Version: 4.9.3\r\n\r\nOK"
    async with speaking(tmp_path / "podman" / "podman.sock", head):
        (found,) = await check_socket(configured(machine))
    assert found.what == f"podman 4.9.3 answers at {tmp_path}/podman/podman.sock"


class speaking:  # noqa: N801 - reads as a verb
    """Answers every connection to a socket with the same bytes."""

    def __init__(self, socket: Path, says: bytes) -> None:
        self._socket, self._says = socket, says

    async def __aenter__(self) -> None:
        self._server = await asyncio.start_unix_server(self._speak, self._socket)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(self._says)
        await writer.drain()
        writer.close()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


async def test_without_containers_podman_is_not_looked_for(machine: Machine) -> None:
    for agent in ({"runtime": "simulated"}, {"runtime_enabled": False}):
        subject = configured(machine, agent=agent)
        assert levels(await check_podman(subject)) == ["skip"]
        for check in (check_socket, check_storage, check_rootless):
            assert await check(subject) == []


async def test_rootless_needs_everything(users_machine: Machine, tmp_path: Path) -> None:
    root = users_machine.root
    programs = {"PATH": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    machine = Machine(1000, "ada", tmp_path, {**programs, "XDG_RUNTIME_DIR": "/absent"}, root)
    found = await check_rootless(configured(machine))
    assert levels(found) == ["fail", "fail", "fail", "warn", "fail", "warn"]
    assert "usermod --add-subuids" in found[0].remedy
    assert found[3].remedy == "loginctl enable-linger ada"

    await asyncio.to_thread(prepare, root, tmp_path)
    machine = Machine(1000, "ada", tmp_path, programs, root)
    assert levels(await check_rootless(configured(machine))) == ["ok"] * 6


def prepare(root: Path, programs: Path) -> None:
    """Give ada all that rootless podman needs."""
    cgroup = root / "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service"
    for folder in (root / "etc", root / "var/lib/systemd/linger", cgroup):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "etc/subuid").write_text("bob:100000:65536\nada:165536:65536\n# odd: line\n::\n")
    (root / "etc/subgid").write_text("1000:165536:65536\n")
    (root / "var/lib/systemd/linger/ada").touch()
    (cgroup / "cgroup.controllers").write_text("cpu memory pids\n")
    for name in ("newuidmap", "newgidmap"):
        script(programs / name, "exit 0")


async def test_too_few_ids_are_a_warning(users_machine: Machine) -> None:
    etc = users_machine.root / "etc"
    etc.mkdir()
    await asyncio.to_thread((etc / "subuid").write_text, "ada:100000:1000\n")
    found = await check_rootless(configured(users_machine))
    assert levels(found)[:2] == ["warn", "fail"]


async def test_the_state_folder_that_is_there_or_can_be_made(
    machine: Machine, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "deep/er"):
        (found,) = await check_state_folder(configured(machine, agent={"state_dir": str(folder)}))
        assert found.what.startswith(f"{folder}: ")
        assert " MiB" in found.what
    assert not await asyncio.to_thread((tmp_path / "deep").exists)


async def test_a_state_folder_that_cannot_be_written(machine: Machine) -> None:
    subject = configured(machine, agent={"state_dir": "/proc/1"})
    (found,) = await check_state_folder(subject)
    assert found.level is Level.FAIL
    assert "cannot be written" in found.what


async def test_a_state_folder_of_another_device(machine: Machine, tmp_path: Path) -> None:
    kept = StateFolder(tmp_path)
    kept.keep_agent(AgentRecord(device_id="van-2"))
    await kept.writer.flush()
    (found,) = await check_state_folder(configured(machine, agent={"state_dir": str(tmp_path)}))
    assert found.level is Level.FAIL
    assert "holds the state of van-2, and this device is van-1" in found.what


def test_the_default_state_folder_is_the_agents(tmp_path: Path) -> None:
    for user_id, environ in ((0, {}), (1000, {}), (1000, {"XDG_STATE_HOME": "/srv/state"})):
        home = {"HOME": str(tmp_path), **environ}
        machine = Machine(user_id, "ada", tmp_path, home)
        assert machine.state_folder(for_user=user_id != 0) == default_folder(home, user_id)


@pytest.mark.parametrize(
    ("mib", "inodes", "level"),
    [
        (4096, 1_000_000, Level.OK),
        (4096, None, Level.OK),
        (511, 1_000_000, Level.WARN),
        (63, 1_000_000, Level.FAIL),
        (4096, 19_999, Level.WARN),
        (4096, 999, Level.FAIL),
    ],
)
def test_room(mib: int, inodes: int | None, level: Level) -> None:
    found = judge("state", Path("/var"), mib * MIB, inodes)
    assert found.level is level
    assert bool(found.remedy) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("at", "level"),
    [(0.0, Level.FAIL), (1_900_000_000.0, Level.OK), (4_200_000_000.0, Level.FAIL)],
)
def test_dates(at: float, level: Level) -> None:
    assert judge_date(at).level is level


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ("echo NTP=yes; echo NTPSynchronized=yes", "ok"),
        ("echo NTP=no; echo NTPSynchronized=no", "warn"),
        ("exit 1", "skip"),
    ],
)
async def test_whether_the_clock_is_kept(
    machine: Machine, recorded: Recorded, body: str, level: str
) -> None:
    await asyncio.to_thread(script, recorded.folder / "timedatectl", body)
    assert levels(await check_clock(configured(machine)))[1] == level
