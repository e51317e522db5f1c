"""A machine of a test's own: its root, its user, and programs that record how they are called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fleet_agent.device.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path

RECORDER = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "{folder}/calls"
if [ -f "{folder}/fails" ]; then cat "{folder}/fails" >&2; exit 1; fi
"""


class Recorded:
    """``systemctl`` and ``loginctl`` as real programs that write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.search_path = f"{folder}:{os.environ['PATH']}"
        for name in ("systemctl", "loginctl"):
            program = folder / name
            program.write_text(RECORDER.format(folder=folder))
            program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What was called since `forget`, in order."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def forget(self) -> None:
        (self.folder / "calls").unlink(missing_ok=True)

    def fail_with(self, said: str) -> None:
        """Have each call fail, saying this."""
        (self.folder / "fails").write_text(said)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Recorded(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a machine that systemd runs."""
    root = tmp_path / "root"
    (root / "run/systemd/system").mkdir(parents=True)
    return root


@pytest.fixture
def machine(root: Path, recorded: Recorded) -> Machine:
    """That machine, seen by root."""
    return Machine(0, "root", root / "root", {"PATH": recorded.search_path}, root)


@pytest.fixture
def users_machine(root: Path, recorded: Recorded) -> Machine:
    """That machine, seen by a person who is not root."""
    return Machine(1000, "ada", root / "home/ada", {"PATH": recorded.search_path}, root)
