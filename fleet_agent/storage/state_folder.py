"""The agent's state folder: which document stands where, read at the start and kept up to date.

``desired.json``            the manifest and the scores that it names
``deployments/NAME.json``   what a deployment has been through: `reconcile.memory.Memory`
``told.json``               the states that were told last: the outbox
``logs/DEPLOYMENT.CONTAINER.json``  the ends of the last runs' logs
``agent.json``              who the agent is, whether it has a link: for ``fleet-agent status``
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from pydantic import Field, JsonValue, TypeAdapter

from fleet_agent.reconcile.memory import Memory
from fleet_agent.runtime.contract import ContainerKey
from fleet_agent.saved_logs import SavedLog
from fleet_agent.storage.documents import read_document, set_aside
from fleet_agent.storage.writer import DocumentWriter
from fleet_core.contracts.base import Timestamp, Wire, decode, encode
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.contracts.names import DeploymentName, DeviceId, Text, is_dns_label
from fleet_core.contracts.scores import Score
from fleet_core.contracts.states import DeploymentState
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_log = logging.getLogger(__name__)
SYSTEM_FOLDER: Final = Path("/var/lib/fleet-agent")
_MEMORY: Final = TypeAdapter(Memory)
_LOGS: Final = TypeAdapter(tuple[SavedLog, ...])
_LOGS_MAX: Final = 4_096
_LIMIT_BYTES: Final = 64 * 1024 * 1024
_Model = TypeVar("_Model", bound=Wire)


class DesiredSet(Wire):
    """What the device should run, as far as it has heard."""

    manifest: DeviceManifest
    scores: dict[DeploymentName, Score] = Field(default_factory=dict)


class ToldStates(Wire):
    """The newest state of each deployment that the fleet was told, or shall be."""

    states: dict[DeploymentName, DeploymentState] = Field(default_factory=dict)
    deleted: list[DeploymentName] = Field(default_factory=list)
    """Deployments whose state was deleted, the newest last."""


class AgentRecord(Wire):
    """What ``fleet-agent status`` shows of the agent itself."""

    device_id: DeviceId
    agent_version: Annotated[Text, Field(max_length=64)] = ""
    pid: int = 0
    boot_id: Annotated[Text, Field(max_length=64)] = ""
    started_at: Timestamp | None = None
    runtime: Annotated[Text, Field(max_length=256)] = ""
    link: Annotated[Text, Field(max_length=64)] = ""
    """The link's state in a word: ``connected``, ``connecting``…"""
    link_since: Timestamp | None = None
    link_error: Annotated[Text, Field(max_length=1024)] = ""
    details: dict[str, JsonValue] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the last agent left behind."""

    desired: DesiredSet | None = None
    """None where it was lost: what `deployments` want still counts, but is not all there is."""
    deployments: Mapping[str, Memory] = field(default_factory=dict)
    logs: Mapping[ContainerKey, tuple[SavedLog, ...]] = field(default_factory=dict)


def default_folder(environ: Mapping[str, str], user_id: int) -> Path:
    """Return where the state is kept by default (XDG base directories for any user but root)."""
    if user_id == 0:
        return SYSTEM_FOLDER
    home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME', '/tmp')}/.local/state"  # noqa: S108 - nowhere else
    return Path(home) / "fleet-agent"


class StateFolder:
    """Reads what was kept, and has kept what is offered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = DocumentWriter()
        self.told = ToldStates()
        """What was told, as far as it was read or kept."""

    def read(self) -> Remembered:
        """Return what is there; what is damaged is set aside, and rebuilt from what is not.

        Reads files: not for an event loop.
        """
        deployments = {
            path.stem: memory
            for path in sorted((self.folder / "deployments").glob("*.json"))
            if is_dns_label(path.stem) and (memory := self._read_memory(path)) is not None
        }
        self.told = self._read(self.folder / "told.json", "told", ToldStates) or ToldStates()
        desired = self._read(self.folder / "desired.json", "desired", DesiredSet)
        return Remembered(desired, deployments, self._read_logs())

    def read_agent(self) -> AgentRecord | None:
        """Return what the last agent said of itself."""
        return self._read(self.folder / "agent.json", "agent", AgentRecord)

    def keep_desired(self, desired: DesiredSet) -> None:
        """Keep what should run."""
        self._offer("desired.json", "desired", encode(desired))

    def keep_memory(self, deployment: str, memory: Memory | None) -> None:
        """Keep what a deployment has been through; None lets go of it."""
        payload = None if memory is None else _MEMORY.dump_json(memory)
        self._offer(f"deployments/{deployment}.json", "deployment", payload)

    def keep_log(self, key: ContainerKey, runs: tuple[SavedLog, ...] | None) -> None:
        """Keep the logs of a container's last runs; None lets go of them."""
        payload = None if runs is None else _LOGS.dump_json(runs)
        self._offer(f"logs/{key.deployment}.{key.container}.json", "log", payload)

    def keep_told(
        self, deployment: str, state: DeploymentState | None, deleted: Sequence[str]
    ) -> None:
        """Keep what was told of a deployment; None where its state is deleted."""
        states = {name: told for name, told in self.told.states.items() if name != deployment}
        if state is not None:
            states[deployment] = state
        self.told = ToldStates(states=states, deleted=list(deleted))
        self._offer("told.json", "told", encode(self.told))

    def keep_agent(self, record: AgentRecord) -> None:
        """Keep what is to be known of the agent."""
        self._offer("agent.json", "agent", encode(record))

    def _offer(self, name: str, kind: str, payload: bytes | None) -> None:
        self.writer.offer(self.folder / name, kind, payload)

    def _read(self, path: Path, kind: str, model: type[_Model]) -> _Model | None:
        payload = read_document(path, kind)
        if payload is None:
            return None
        try:
            return decode(model, payload, limit_bytes=_LIMIT_BYTES)
        except InvalidInputError as error:
            _log.warning("%s: %s; it is set aside", path, error)
            set_aside(path)
            return None

    def _read_logs(self) -> dict[ContainerKey, tuple[SavedLog, ...]]:
        logs: dict[ContainerKey, tuple[SavedLog, ...]] = {}
        for path in sorted((self.folder / "logs").glob("*.json"))[:_LOGS_MAX]:
            deployment, _, container = path.stem.partition(".")
            payload = read_document(path, "log")
            if payload is None or not (is_dns_label(deployment) and is_dns_label(container)):
                continue
            try:
                logs[ContainerKey(deployment, container)] = _LOGS.validate_json(payload)
            except ValueError:
                set_aside(path)
        return logs

    def _read_memory(self, path: Path) -> Memory | None:
        payload = read_document(path, "deployment")
        if payload is None:
            return None
        try:
            return _MEMORY.validate_json(payload)
        except ValueError as error:
            _log.warning("%s: %s; it is set aside", path, error)
            set_aside(path)
            return None


def folder_of(configured: str | None) -> Path:
    """Return the state folder that the configuration names, or the default one."""
    return Path(configured) if configured else default_folder(os.environ, os.geteuid())
