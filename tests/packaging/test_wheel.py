"""The wheel holds everything, installs anywhere, and a device does not pay for the rest."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import REPOSITORY, ROOMS
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.packaging.conftest import Installation

    Install = Callable[[str], Installation]

pytestmark = pytest.mark.timeout(120)

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    sources = {
        str(file.relative_to(REPOSITORY))
        for room in ROOMS
        for file in (REPOSITORY / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert sources <= packed
    foreign = {name for name in packed - sources if ".dist-info/" not in name}
    assert foreign == set()


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert any(name.endswith("/LICENSE") for name in archive.namelist())


@pytest.mark.parametrize("command", PROJECT["scripts"])
def test_each_command_answers_help_in_a_clean_environment(install: Install, command: str) -> None:
    finished = install("all").run(command, "--help")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(f"usage: {command}")
    assert finished.stderr == ""


@pytest.mark.parametrize("command", ["fleet", "fleet-agent"])
def test_a_device_has_its_agent_and_the_command_line(install: Install, command: str) -> None:
    finished = install("agent").run(command, "--help")
    assert finished.returncode == 0, finished.stderr


def test_the_installed_command_knows_its_version(install: Install) -> None:
    assert install("agent").run("fleet", "version").stdout == f"{PROJECT['version']}\n"


def test_the_installed_demo_brings_up_a_live_fleet_and_leaves_nothing(install: Install) -> None:
    process = install("all").start("fleet", "demo", "3", "--until-eof")
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert url.startswith("nats://127.0.0.1:")
        said = []
        while not said or "3 devices are up" not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], said
        listed = install("all").run("fleet", "--nats", url, "get", "devices", "-o", "json")
        assert len(json.loads(listed.stdout)) == 3
        process.stdin.close()
        assert process.wait(20) == 0
        assert "nothing of it is left" in process.stderr.read()


@pytest.mark.parametrize(
    ("extra", "never"),
    [
        ("agent", ("textual", "kubernetes", "kopf", "pytest")),
        ("operator", ("textual", "podman", "pytest")),
        ("tui", ("kubernetes", "podman", "pytest")),
    ],
)
def test_what_a_program_does_not_need_is_not_installed(
    install: Install, extra: str, never: tuple[str, ...]
) -> None:
    for module in never:
        found = install(extra).run("python", "-c", f"import {module}")
        assert found.returncode == 1
        assert "ModuleNotFoundError" in found.stderr


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("fleet_agent.__main__", ("textual", "kubernetes", "yaml", "fleet_tui", "rich")),
        (
            "fleet_agent.agent",
            ("textual", "kubernetes", "yaml", "fleet_tui", "fleet_core.operator"),
        ),
        ("fleet_core.cli.arguments", ("textual", "kubernetes", "fleet_tui", "fleet_agent")),
        ("fleet_core.operator.service", ("textual", "kubernetes", "fleet_tui", "fleet_agent")),
    ],
)
def test_even_where_everything_is_installed_a_program_imports_only_its_own(
    install: Install, module: str, never: tuple[str, ...]
) -> None:
    finished = install("all").run(
        "python", "-c", f"import sys, {module}; print(*sys.modules, sep='\\n')"
    )
    assert finished.returncode == 0, finished.stderr
    assert not set(never) & set(finished.stdout.split())


def test_the_terminal_ui_without_its_extra_says_what_to_install(install: Install) -> None:
    command = install("agent").directory / "bin" / "fleet-tui"
    with Terminal([str(command)], columns=120, env={"TERM": "xterm", "LANG": "C.UTF-8"}) as shown:
        text = shown.wait_for("pip install 'fleet-tui[tui]'")
        assert "Traceback" not in text
        assert shown.wait_exit() == 1
