"""``fleet-agent install`` and ``uninstall``: files, calls of systemctl, and what is told."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fleet_agent.config import load_config
from fleet_agent.device import commands
from fleet_agent.device.arguments import add_device_commands
from fleet_agent.device.install import example_config
from fleet_agent.device.program import program_command
from fleet_agent.device.unit import MARK
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_agent.device.machine import Machine
    from tests.agent.device.conftest import Recorded

FILLED = '[agent]\ndevice_id = "van-1"\n[nats]\nurls = ["nats://127.0.0.1:4222"]\n'
UNIT = "etc/systemd/system/fleet-agent.service"
CONFIG = "etc/fleet-agent/config.toml"


def call(machine: Machine, *words: str) -> int:
    """Run ``fleet-agent`` on this machine."""
    parser = argparse.ArgumentParser()
    add_device_commands(parser.add_subparsers())
    command = commands.install if words[0] == "install" else commands.uninstall
    return command(parser.parse_args(words), machine)


def fill(root: Path, text: str = FILLED) -> None:
    config = root / CONFIG
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(text)


def test_first_without_a_configuration(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(machine, "install") == 0
    assert (root / UNIT).stat().st_mode & 0o777 == 0o644
    assert (root / CONFIG).stat().st_mode & 0o777 == 0o600
    assert f"run --config {root / CONFIG}" in (root / UNIT).read_text()
    # Not started: it could only fail.
    assert recorded.calls == ["systemctl daemon-reload", "systemctl enable fleet-agent.service"]
    told = capsys.readouterr().out
    assert f"done: write {root / UNIT}" in told
    assert f"1. fill in {root / CONFIG}: agent.device_id, nats.urls" in told
    assert "systemctl start fleet-agent" in told


def test_then_filled_in_and_once_more(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    assert call(machine, "install") == 0
    start = ["systemctl daemon-reload", "systemctl enable --now fleet-agent.service"]
    assert recorded.calls == start
    assert (root / CONFIG).read_text() == FILLED
    written = (root / UNIT).stat().st_mtime_ns
    recorded.forget()
    capsys.readouterr()
    assert call(machine, "install") == 0
    assert (root / UNIT).stat().st_mtime_ns == written
    assert recorded.calls == start
    assert f"kept: {root / UNIT}, which is as it should be" in capsys.readouterr().out


def test_a_unit_of_an_older_version_is_replaced_and_the_agent_started_anew(
    machine: Machine, root: Path, recorded: Recorded
) -> None:
    fill(root)
    call(machine, "install")
    (root / UNIT).write_text(f"{MARK}\n[Service]\nExecStart=/old/fleet-agent run\n")
    recorded.forget()
    assert call(machine, "install") == 0
    assert "/old/" not in (root / UNIT).read_text()
    assert recorded.calls == [
        "systemctl daemon-reload",
        "systemctl enable fleet-agent.service",
        "systemctl restart fleet-agent.service",
    ]


def test_not_started_where_that_is_asked(machine: Machine, root: Path, recorded: Recorded) -> None:
    fill(root)
    assert call(machine, "install", "--no-start") == 0
    assert recorded.calls == ["systemctl daemon-reload", "systemctl enable fleet-agent.service"]


def test_a_wrong_configuration_is_refused_before_anything_is_done(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root, example_config())
    assert call(machine, "install") == 2
    assert "nothing was installed" in capsys.readouterr().err
    assert not (root / UNIT).exists()
    assert recorded.calls == []


def test_a_users_own_service(
    users_machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    home = root / "home/ada"
    assert call(users_machine, "install", "--user") == 0
    assert (home / ".config/systemd/user/fleet-agent.service").exists()
    assert (home / ".config/fleet-agent/config.toml").stat().st_mode & 0o777 == 0o600
    assert recorded.calls[0] == "systemctl --user daemon-reload"
    assert "loginctl enable-linger ada, or the agent ends when you" in capsys.readouterr().out


def test_lingering_is_enabled_where_that_is_asked_and_only_once(
    users_machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(users_machine, "install", "--user", "--enable-linger") == 0
    assert recorded.calls[0] == "loginctl enable-linger ada"
    assert "or the agent ends" not in capsys.readouterr().out
    linger = root / "var/lib/systemd/linger/ada"
    linger.parent.mkdir(parents=True)
    linger.touch()
    (root / "home/ada/.config/fleet-agent/config.toml").write_text(FILLED)
    recorded.forget()
    assert call(users_machine, "install", "--user", "--enable-linger") == 0
    assert "loginctl enable-linger ada" not in recorded.calls


def test_a_dry_run_prints_the_unit_and_touches_nothing(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    assert call(machine, "install", "--dry-run") == 0
    told = capsys.readouterr()
    assert told.out.startswith(MARK)
    assert "would: systemctl enable --now fleet-agent.service" in told.err
    assert not (root / UNIT).exists()
    assert recorded.calls == []


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_refusals_are_one_sentence(
    machine: Machine,
    users_machine: Machine,
    recorded: Recorded,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    root = machine.root
    fill(root)
    (root / UNIT).parent.mkdir(parents=True)
    (root / UNIT).write_text("[Service]\nExecStart=/usr/bin/other\n")
    sudo = replace(machine, environ={**machine.environ, "SUDO_USER": "ada"})
    bare = replace(machine, root=root / "bare")
    for refused, words, said in (
        (users_machine, [], "only root may change the system's services"),
        (sudo, ["--user"], "sudo makes that root"),
        (bare, [], "not run by systemd"),
        (machine, [], "was not written by fleet-agent"),
    ):
        assert call(refused, command, *words) == 1
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
    assert recorded.calls == []
    assert "/usr/bin/other" in (root / UNIT).read_text()


def test_force_overrules_somebody_elses_unit(
    machine: Machine, root: Path, recorded: Recorded
) -> None:
    fill(root)
    (root / UNIT).parent.mkdir(parents=True)
    (root / UNIT).write_text("[Service]\nExecStart=/usr/bin/other\n")
    assert call(machine, "install", "--force") == 0
    assert (root / UNIT).read_text().startswith(MARK)
    assert "systemctl restart fleet-agent.service" in recorded.calls


def test_what_systemctl_says_is_passed_on(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    recorded.fail_with("Failed to enable unit: Read-only file system")
    assert call(machine, "install") == 1
    told = capsys.readouterr().err
    assert "systemctl daemon-reload: Failed to enable unit: Read-only file system" in told


def test_a_place_that_cannot_be_written_is_told(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    (root / "etc/systemd").write_text("a file where a folder should be")
    assert call(machine, "install") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert recorded.calls == []


def test_lingering_is_the_users(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(machine, "install", "--enable-linger") == 2
    assert "--enable-linger goes with --user" in capsys.readouterr().err


def test_uninstalled_and_once_more(
    machine: Machine, root: Path, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(root)
    call(machine, "install")
    (root / "var/lib/fleet-agent").mkdir(parents=True)
    recorded.forget()
    assert call(machine, "uninstall") == 0
    assert not (root / UNIT).exists()
    assert (root / CONFIG).exists()
    assert (root / "var/lib/fleet-agent").exists()
    assert recorded.calls == [
        "systemctl disable --now fleet-agent.service",
        "systemctl daemon-reload",
    ]
    told = capsys.readouterr().out
    assert "kept: the containers, which go on running" in told
    recorded.forget()
    assert call(machine, "uninstall") == 0
    assert recorded.calls == []
    assert "nothing to uninstall" in capsys.readouterr().out


def test_the_example_names_only_keys_that_there_are(tmp_path: Path) -> None:
    """With every commented key and table switched on, and the marked ones filled in."""
    text = example_config().replace('device_id = ""', 'device_id = "van-1"')
    text = text.replace("urls = []", 'urls = ["tls://nats.example.com"]')
    on = [line.removeprefix("# ") if _is_switch(line) else line for line in text.splitlines()]
    file = tmp_path / "config.toml"
    file.write_text("\n".join(on))
    config = load_config({}, file)
    assert config.credentials is not None
    assert config.registries["registry.example.com"].username == "puller"
    file.write_text(example_config())
    with pytest.raises(InvalidInputError, match="device_id"):
        load_config({}, file)


def _is_switch(line: str) -> bool:
    rest = line.removeprefix("# ")
    return rest != line and (rest.startswith("[") or " = " in rest)


def test_the_program_is_found_again(tmp_path: Path) -> None:
    script = tmp_path / "fleet-agent"
    python = str(tmp_path / "python3")
    assert program_command("fleet_agent/__main__.py", python) == [python, "-m", "fleet_agent"]
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert program_command("fleet_agent/__main__.py", python) == [str(script)]
    assert program_command(str(script), "/usr/bin/python3") == [str(script)]


def test_as_a_process_where_there_is_no_systemd(tmp_path: Path) -> None:
    if os.path.isdir("/run/systemd/system"):  # noqa: PTH112 - one look
        pytest.skip("this machine is run by systemd")
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "fleet_agent", "install", "--user"],
        capture_output=True,
        check=False,
        env=environment,
        timeout=9,
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"fleet-agent: this machine is not run by systemd")
    assert list(tmp_path.iterdir()) == []
