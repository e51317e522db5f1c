"""``fleet-agent status``: from the agent's own files, with a link or without, alive or dead."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fleet_agent.device.kept import read_kept
from fleet_agent.device.spans import spoken
from fleet_agent.device.status import find_folder, is_running, read_status
from fleet_agent.device.status_output import status_json, status_text
from fleet_agent.storage.state_folder import AgentRecord, DesiredSet, StateFolder
from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    DeploymentState,
    Phase,
    TerminatedState,
)
from fleet_core.errors import NotFoundError, RefusedError
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from fleet_agent.device.machine import Machine
    from tests.support.nats_server import NatsServer

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HASH = "0" * 16


def state(name: str, **fields: Any) -> DeploymentState:
    return DeploymentState(
        **{
            "device_id": "van-1",
            "deployment": name,
            "phase": Phase.RUNNING,
            "last_event_at": NOW - timedelta(minutes=3),
            "generation": 4,
            "reason": "Running",
            **fields,
        }
    )


async def keep(folder: Path) -> None:
    """Leave behind what an agent of two deployments does, and a third that is to go."""
    kept = StateFolder(folder)
    kept.keep_agent(
        AgentRecord(
            device_id="van-1",
            agent_version="0.1.0",
            pid=4242,
            boot_id="boot-1",
            started_at=NOW - timedelta(hours=3),
            runtime="podman 4.9.3",
            link="reconnecting",
            link_since=NOW - timedelta(days=2),
            link_error="Connection refused",
        )
    )
    entries = {
        "web": ManifestEntry(generation=5, spec_hash=HASH),
        "cam": ManifestEntry(generation=1, spec_hash=HASH),
    }
    kept.keep_desired(DesiredSet(manifest=DeviceManifest(generation=9, deployments=entries)))
    done = ContainerState(terminated=TerminatedState(exit_code=0))
    inits = [ContainerStatus(name="fetch", state=done), ContainerStatus(name="migrate")]
    services = [ContainerStatus(name="web", restart_count=3)]
    web = state(
        "web",
        phase=Phase.PENDING,
        reason="Init:1/2",
        last_error="exit \x1b[2J1",
        init_container_statuses=inits,
        container_statuses=services,
    )
    kept.keep_told("web", web, [])
    kept.keep_told("old", state("old"), [])
    await kept.writer.flush()


@pytest.fixture
async def folder(machine: Machine) -> Path:
    folder = machine.root / "var/lib/fleet-agent"
    await keep(folder)
    return folder


def shown(machine: Machine) -> list[str]:
    return status_text(read_status(machine, None), NOW.timestamp()).splitlines()


def boot(machine: Machine, boot_id: str, pid: int, *words: str) -> None:
    """Have the machine run a process in some boot."""
    random = machine.root / "proc/sys/kernel/random"
    process = machine.root / f"proc/{pid}"
    for each in (random, process):
        each.mkdir(parents=True, exist_ok=True)
    (random / "boot_id").write_text(f"{boot_id}\n")
    (process / "cmdline").write_text("\0".join(words))


def test_what_a_dead_agent_left_behind(machine: Machine, folder: Path) -> None:
    stamp = (NOW - timedelta(minutes=10)).timestamp()
    for file in folder.glob("*.json"):
        os.utime(file, (stamp, stamp))
    lines = shown(machine)
    assert lines[:5] == [
        "device   van-1",
        "agent    not running (its pid was 4242); version 0.1.0, podman 4.9.3",
        "link     none; it was reconnecting 2 d ago: Connection refused",
        f"known    no later than it was last written, 10 min ago, to {folder}",
        "wanted   generation 9 of the manifest",
    ]
    table = [line.split() for line in lines[6:]]
    assert table[1] == ["cam", "1", "-", "nothing", "told", "yet", "-", "-", "-", "-"]
    assert table[2][:5] == ["old", "4", "Running", "to", "be"]
    assert table[3][:7] == ["web", "4", "->", "5", "Pending", "Init:1/2", "1/2"]
    assert table[3][7:11] == ["3", "3", "min", "ago"]
    assert "\x1b" not in "".join(lines)


def test_a_living_agent(machine: Machine, folder: Path) -> None:
    boot(machine, "boot-1", 4242, "/usr/bin/python3", "/usr/bin/fleet-agent", "run")
    lines = shown(machine)
    assert lines[1] == "agent    running, pid 4242, up 3 h; version 0.1.0, podman 4.9.3"
    assert lines[2] == "link     reconnecting for 2 d: Connection refused"
    assert lines[3].startswith("known    now: the agent writes what changes")
    assert str(folder) in lines[3]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("boot_id", "pid", "words", "runs"),
    [
        ("boot-1", 4242, ("python3", "-m", "fleet_agent", "run"), True),
        ("boot-2", 4242, ("/usr/bin/fleet-agent", "run"), False),
        ("boot-1", 4242, ("/usr/bin/other",), False),
        ("boot-1", 4243, ("/usr/bin/fleet-agent", "run"), False),
    ],
)
def test_the_same_process_of_the_same_boot(
    machine: Machine, boot_id: str, pid: int, words: tuple[str, ...], *, runs: bool
) -> None:
    boot(machine, boot_id, pid, *words)
    assert is_running(machine, read_kept(find_folder(machine, None))) is runs


@pytest.mark.usefixtures("folder")
def test_json(machine: Machine) -> None:
    told = json.loads(status_json(read_status(machine, None), NOW.timestamp()))
    assert told["agent"]["running"] is False
    assert told["link"]["since"] == "2026-05-02T12:00:00Z"
    assert told["manifest_generation"] == 9
    assert [each["name"] for each in told["deployments"]] == ["cam", "old", "web"]
    web = told["deployments"][2]
    assert (web["generation"], web["wanted_generation"], web["restarts"]) == (4, 5, 3)
    assert web["init"] == {"done": 1, "total": 2}


def test_a_damaged_file_is_told_and_left_alone(machine: Machine, folder: Path) -> None:
    file = folder / "told.json"
    file.write_bytes(file.read_bytes()[:-1])
    before = sorted(each.name for each in folder.iterdir())
    lines = shown(machine)
    assert f"problem  {file} is torn, corrupt, or of another version" in lines
    assert any(line.startswith("web ") for line in lines)
    assert sorted(each.name for each in folder.iterdir()) == before


def test_nothing_kept(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no agent has kept anything in"):
        read_status(machine, None)
    with pytest.raises(NotFoundError):
        read_kept(tmp_path / "absent")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_is_not_for_this_user() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)
        folder = Path(place) / "state"
        asyncio.run(keep(folder))
        os.seteuid(65_534)
        try:
            with pytest.raises(RefusedError, match="may not be read by this user"):
                read_kept(folder)
        finally:
            os.seteuid(0)


def test_folders_in_turn(users_machine: Machine, tmp_path: Path) -> None:
    assert find_folder(users_machine, None) == users_machine.root / "var/lib/fleet-agent"
    own = users_machine.home / ".local/state/fleet-agent"
    own.mkdir(parents=True)
    (own / "agent.json").touch()
    assert find_folder(users_machine, None) == own
    config = tmp_path / "config.toml"
    config.write_text(
        '[agent]\ndevice_id = "van-1"\nstate_dir = "/srv/s"\n[nats]\nurls = ["nats://a"]\n'
    )
    assert str(find_folder(users_machine, config)) == "/srv/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7_300, "2 h"), (200_000, "2 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


CONFIG = """\
[agent]
device_id = "van-1"
state_dir = "{state}"
[nats]
urls = ["{url}"]
[podman]
executable = "/absent/podman"
socket = "/absent/podman.sock"
"""


def asked(config: Path) -> dict[str, Any]:
    """Run ``fleet-agent status``; nothing where there is nothing to be told yet."""
    done = subprocess.run(
        [sys.executable, "-m", "fleet_agent", "status", "--config", str(config), "-o", "json"],
        capture_output=True,
        check=False,
        timeout=9,
    )
    assert b"Traceback" not in done.stderr
    return dict(json.loads(done.stdout)) if done.stdout else {}


async def test_of_a_real_agent_alive_cut_off_and_killed(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    config, state_dir = tmp_path / "config.toml", tmp_path / "state"
    text = CONFIG.format(state=state_dir, url=nats_server.url)
    await asyncio.to_thread(config.write_text, text)
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_agent", "run", "--config", str(config)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: asked(config).get("link", {}).get("state") == "connected")
        told = asked(config)
        assert told["device_id"] == "van-1"
        assert told["agent"]["running"]
        assert told["agent"]["pid"] == agent.pid
        nats_server.stop()
        await eventually(lambda: asked(config)["link"]["state"] == "reconnecting")
        agent.send_signal(signal.SIGKILL)
        await agent.wait()
        told = asked(config)
        assert not told["agent"]["running"]
        assert told["link"]["state"] == "reconnecting"
        assert told["age_s"] < 60
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()
