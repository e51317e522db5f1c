"""``fleet-agent status``: what the agent knows, from its files, whether it runs or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.config import load_config
from fleet_agent.device.checks.configuration import configuration_file
from fleet_agent.device.kept import AGENT_FILE, Kept, read_kept
from fleet_agent.inventory import read_boot_id
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.device.machine import Machine
    from fleet_core.contracts.states import ContainerStatus, DeploymentState

_PROGRAM: Final = (b"fleet-agent", b"fleet_agent")


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """One deployment, as it was told last and as it is wanted."""

    name: str
    wanted_generation: int | None
    """None where the newest manifest does not name it: it is to go."""
    told: DeploymentState | None
    """None where nothing has been told of it yet."""

    @property
    def init_done(self) -> tuple[int, int]:
        """How many init containers have done their work, of how many."""
        statuses = self.told.init_container_statuses if self.told else []
        return sum(map(_has_succeeded, statuses)), len(statuses)

    @property
    def reason(self) -> str:
        """Why it is in its phase, in a word or two."""
        if self.told is None:
            return "nothing told yet"
        return "to be removed" if self.wanted_generation is None else self.told.reason


@dataclass(frozen=True, slots=True)
class Status:
    """The agent and its deployments, as far as its files tell."""

    kept: Kept
    is_running: bool
    deployments: Sequence[DeploymentStatus]


def read_status(machine: Machine, config_file: Path | None) -> Status:
    """Return what is known.

    Raises:
        NotFoundError: no agent has kept anything.
        RefusedError: this user may not read it.
    """
    kept = read_kept(find_folder(machine, config_file))
    return Status(kept, is_running(machine, kept), deployments_of(kept))


def find_folder(machine: Machine, config_file: Path | None) -> Path:
    """Return the state folder that the configuration names, else the one that has something in it.

    A wrong configuration is no reason to show nothing: the default folders are looked at then.
    """
    try:
        config = load_config(machine.environ, configuration_file(machine, config_file))
        configured = config.agent.state_dir
    except InvalidInputError:
        configured = None
    if configured is not None:
        return Path(configured)
    own = machine.state_folder(for_user=not machine.is_root)
    return own if (own / AGENT_FILE).exists() else machine.state_folder(for_user=False)


def is_running(machine: Machine, kept: Kept) -> bool:
    """Tell whether the agent that wrote the record runs: same boot, same process, our program."""
    agent = kept.agent
    if agent is None or not agent.pid or agent.pid == os.getpid():
        return False
    if agent.boot_id and agent.boot_id != read_boot_id(machine.root):
        return False
    try:
        words = machine.path(f"/proc/{agent.pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(name in words for name in _PROGRAM)


def deployments_of(kept: Kept) -> list[DeploymentStatus]:
    """Return what is wanted and what was told, by name."""
    wanted = kept.desired.manifest.deployments if kept.desired else {}
    told = kept.told.states
    return [
        DeploymentStatus(name, wanted[name].generation if name in wanted else None, told.get(name))
        for name in sorted({*wanted, *told})
    ]


def _has_succeeded(status: ContainerStatus) -> bool:
    terminated = status.state.terminated
    return terminated is not None and terminated.exit_code == 0
