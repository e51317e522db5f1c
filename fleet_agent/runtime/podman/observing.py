"""Looking at podman's containers, with as few calls as what has changed needs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fleet_agent.runtime.contract import (
    LABEL_PREFIX,
    SAVED_LOG_MAX_BYTES,
    ContainerKey,
    RunState,
    RuntimeUnavailableError,
)
from fleet_agent.runtime.podman.api import ApiError
from fleet_agent.runtime.podman.kernel_log import tells_of_oom
from fleet_agent.runtime.podman.log_files import read_log_file
from fleet_agent.runtime.podman.seeing import LABEL_DEPLOYMENT, snapshot_of
from fleet_agent.saved_logs import clip_lines
from fleet_core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.runtime.contract import LogLine, Role, Snapshot
    from fleet_agent.runtime.podman.api import PodmanApi

NOT_FOUND: Final = 404
_KNOWN_MAX: Final = 1_024
_SAVED_LINES: Final = 1_000
_EXIT_KILLED: Final = 137
_SETTLED: Final = frozenset((RunState.RUNNING, RunState.EXITED))


class PodmanObserver:
    """Containers as they are now; one that has not changed since is not inspected again."""

    def __init__(self, api: PodmanApi) -> None:
        self.starting: set[ContainerKey] = set()
        """Containers whose start is under way: theirs is not the state ``unstarted``."""
        self._api = api
        self._out_of_memory: OrderedDict[str, bool] = OrderedDict()
        self._known: OrderedDict[str, tuple[object, Snapshot]] = OrderedDict()

    async def inspect(self, name: str) -> Any:
        """Return podman's JSON about a container; None where there is none."""
        try:
            inspected = await self._api.get(f"/containers/{name}/json")
        except ApiError as error:
            # One that is just being removed is answered with 500 (podman 4).
            if error.status == NOT_FOUND or "no such container" in error.message:
                return None
            raise RuntimeUnavailableError(f"podman cannot tell of {name}: {error}") from error
        state = inspected["State"]
        if state["ExitCode"] == _EXIT_KILLED:
            state["OOMKilled"] = state["OOMKilled"] or await self._ran_out_of_memory(
                inspected["Id"]
            )
        return inspected

    async def _ran_out_of_memory(self, container_id: str) -> bool:
        known = self._out_of_memory.get(container_id)
        if known is None:
            known = await self._api.off_loop(lambda: tells_of_oom(container_id))
            self._out_of_memory[container_id] = known
            while len(self._out_of_memory) > _KNOWN_MAX:
                self._out_of_memory.popitem(last=False)
        return known

    async def status(self, key: ContainerKey) -> Snapshot | None:
        """Return the container as it is now."""
        inspected = await self.inspect(key.runtime_name)
        return None if inspected is None else self.snapshot(inspected)

    def snapshot(self, inspected: Any) -> Snapshot | None:
        """Return what the inspected container is; None where it is not ours."""
        found = snapshot_of(inspected, starting=False)
        if found is not None and found.key in self.starting:
            return snapshot_of(inspected, starting=True)
        return found

    async def list(self, role: Role, deployment: str | None) -> Sequence[Snapshot]:
        """Return the containers of one role, of one deployment or of all."""
        label = LABEL_DEPLOYMENT if deployment is None else f"{LABEL_DEPLOYMENT}={deployment}"
        filters = {"label": [label, f"{LABEL_PREFIX}/role={role.value}"]}
        try:
            listed = await self._api.get("/containers/json", all=True, filters=filters)
        except ApiError as error:
            raise RuntimeUnavailableError(f"podman cannot list containers: {error}") from error
        found = await asyncio.gather(*(self._listed(each) for each in listed or ()))
        return [each for each in found if each is not None]

    async def _listed(self, entry: Any) -> Snapshot | None:
        evidence = (entry["State"], entry["StartedAt"], entry["ExitedAt"], entry["ExitCode"])
        known = self._known.get(entry["Id"])
        if known is not None and known[0] == evidence:
            return known[1]
        inspected = await self.inspect(entry["Id"])
        if inspected is None:
            return None
        snapshot = self.snapshot(inspected)
        same = inspected["State"]["Status"] == entry["State"]
        if snapshot is not None and snapshot.state in _SETTLED and same:
            self._known[entry["Id"]] = (evidence, snapshot)
            while len(self._known) > _KNOWN_MAX:
                self._known.popitem(last=False)
        return snapshot

    async def logs(
        self, key: ContainerKey, *, tail: int, since_s: float | None = None
    ) -> Sequence[LogLine]:
        """Return the last lines of the file that conmon writes.

        Raises:
            NotFoundError: there is no such container, or its log cannot be read.
        """
        inspected = await self.inspect(key.runtime_name)
        if inspected is None:
            raise NotFoundError(f"there is no container {key.runtime_name}")
        path = Path(inspected["HostConfig"]["LogConfig"]["Path"])
        try:
            lines: Sequence[LogLine] = await self._api.off_loop(
                lambda: read_log_file(path, tail=tail, since_s=since_s)
            )
        except FileNotFoundError:
            return []  # it was never started
        except OSError as error:
            raise NotFoundError(f"{path}: {error.strerror}") from error
        return lines

    async def saved_log(self, key: ContainerKey) -> tuple[LogLine, ...]:
        """Return what is kept of a finished container's log."""
        try:
            lines = await self.logs(key, tail=_SAVED_LINES)
        except NotFoundError:
            return ()
        return clip_lines(lines, SAVED_LOG_MAX_BYTES)
