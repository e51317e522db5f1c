"""The unit: what systemd itself says of it, and that every path comes through its quoting."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from fleet_agent.device.unit import MARK, is_ours, unit_text
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

COMMAND: Final = ["/usr/bin/fleet-agent", "run", "--config", "/etc/fleet-agent/config.toml"]
needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def verified(folder: Path, text: str) -> str:
    """Return what systemd says of a unit; nothing if it is sound."""
    unit = folder / "fleet-agent.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, check=False, timeout=9
    )
    said = (done.stdout + done.stderr).decode()
    return "\n".join(line for line in said.splitlines() if "fleet-agent" in line)


@needs_systemd_analyze
@pytest.mark.parametrize("for_user", [False, True])
@pytest.mark.parametrize("name", ["plain", "two words", "100%n", "$HOME"])
def test_systemd_takes_it_wherever_the_program_lies(
    tmp_path: Path, name: str, *, for_user: bool
) -> None:
    program = tmp_path / name / "fleet-agent"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = [str(program), "run", "--config", f'/etc/{name}/quo"te/back\\slash.toml']
    assert verified(tmp_path, unit_text(command, for_user=for_user)) == ""


@needs_systemd_analyze
def test_systemd_would_have_complained(tmp_path: Path) -> None:
    absent = unit_text([str(tmp_path / "absent")], for_user=False)
    assert "is not executable" in verified(tmp_path, absent)
    slip = unit_text(["/bin/sh"], for_user=False).replace("KillMode=process", "KillMode=proces")
    assert "kill mode" in verified(tmp_path, slip)


def test_the_workloads_go_on_when_the_agent_ends() -> None:
    for for_user in (False, True):
        told = lines(unit_text(COMMAND, for_user=for_user))
        assert {"KillMode=process", "Delegate=yes", "OOMPolicy=continue"} <= set(told)


def test_it_is_started_again_for_ever_and_without_a_network() -> None:
    told = lines(unit_text(COMMAND, for_user=False))
    assert {"Restart=always", "RestartSec=5", "StartLimitIntervalSec=0"} <= set(told)
    assert "After=network-online.target" in told
    assert not [line for line in told if line.startswith(("Requires=", "Wants=", "BindsTo="))]


def test_nothing_that_the_workloads_would_inherit_or_that_hides_their_mounts() -> None:
    told = unit_text(COMMAND, for_user=False)
    keys = {line.partition("=")[0] for line in lines(told)}
    assert not keys & {"NoNewPrivileges", "SystemCallFilter", "ProtectSystem", "PrivateTmp"}
    assert not keys & {"CapabilityBoundingSet", "RestrictSUIDSGID", "ProtectHome"}


def test_only_the_system_has_a_state_directory_of_systemds() -> None:
    assert "StateDirectory=fleet-agent" in lines(unit_text(COMMAND, for_user=False))
    users = lines(unit_text(COMMAND, for_user=True))
    assert not [line for line in users if line.startswith(("StateDirectory", "After", "OOMScore"))]
    assert "WantedBy=default.target" in users


def test_a_line_break_cannot_bring_in_a_line_of_its_own() -> None:
    with pytest.raises(InvalidInputError, match="cannot stand in a systemd unit"):
        unit_text(["/bin/sh", "run", "--config", "/etc/a\nExecStartPre=/bin/evil"], for_user=False)


@pytest.mark.parametrize("name", ['quo"te', "o'clock", "back\\slash"])
def test_what_systemd_would_not_start_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="starts no program with such a name"):
        unit_text([f"/opt/{name}/fleet-agent", "run"], for_user=False)


def test_a_unit_of_ours_is_known_by_its_first_line() -> None:
    assert is_ours(unit_text(COMMAND, for_user=True))
    assert not is_ours("[Unit]\n" + MARK)
    assert not is_ours("")
