"""What the agent has kept on disk, as another process reads it: never changed, never set aside.

The agent itself reads by `fleet_agent.storage`, which moves damaged files away; a person who looks
at a device must not do that to a running agent, of another version perhaps.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from fleet_agent.storage.documents import MAX_DOCUMENT_BYTES, VERSION
from fleet_agent.storage.state_folder import AgentRecord, DesiredSet, ToldStates
from fleet_core.contracts.base import Wire, decode
from fleet_core.errors import InvalidInputError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

_Model = TypeVar("_Model", bound=Wire)
AGENT_FILE = "agent.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """The documents of one state folder that could be read."""

    folder: Path
    agent: AgentRecord | None
    desired: DesiredSet | None
    told: ToldStates
    written_at_s: float
    """Unix seconds at which the newest of them was written."""
    problems: list[str] = field(default_factory=list)
    """What is there and cannot be understood."""


def read_kept(folder: Path) -> Kept:
    """Read what is there.

    Raises:
        NotFoundError: no agent has kept anything there.
        RefusedError: this user may not read it.
    """
    problems: list[str] = []
    agent = _read(folder / AGENT_FILE, "agent", AgentRecord, problems)
    desired = _read(folder / "desired.json", "desired", DesiredSet, problems)
    told = _read(folder / "told.json", "told", ToldStates, problems)
    times = [
        (folder / name).stat().st_mtime
        for name in (AGENT_FILE, "desired.json", "told.json")
        if (folder / name).exists()
    ]
    if not times:
        raise NotFoundError(
            f"no agent has kept anything in {folder}",
            remedy="has one run here? systemctl status fleet-agent",
        )
    return Kept(folder, agent, desired, told or ToldStates(), max(times), problems)


def _read(path: Path, kind: str, model: type[_Model], problems: list[str]) -> _Model | None:
    try:
        with path.open("rb") as file:
            header = file.readline(256)
            payload = file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise RefusedError(
            f"{path} may not be read by this user", remedy="call it with sudo"
        ) from error
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
        return None
    checksum = hashlib.sha256(payload).hexdigest()
    if header != f"fleet-agent {VERSION} {kind} {checksum}\n".encode():
        problems.append(f"{path} is torn, corrupt, or of another version")
        return None
    try:
        return decode(model, payload, limit_bytes=MAX_DOCUMENT_BYTES)
    except InvalidInputError as error:
        problems.append(f"{path} is of another version: {error.message}")
        return None
