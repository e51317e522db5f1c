"""Where podman's API answers: a socket that is there, or a service that this agent starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import RuntimeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)
SYSTEM_SOCKET: Final = Path("/run/podman/podman.sock")
IDLE_S: Final = 60
"""A service that was started here ends by itself so long after the agent was killed."""
START_DEADLINE_S: Final = 20.0
_ANSWER_DEADLINE_S: Final = 2.0
_POLL_S: Final = 0.02


def own_socket(environ: Mapping[str, str], user_id: int) -> Path:
    """Return where podman's socket is by default: the system's for root, else the user's."""
    if user_id == 0:
        return SYSTEM_SOCKET
    folder = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user_id}"
    return Path(folder) / "podman" / "podman.sock"


def run_folder(environ: Mapping[str, str], user_id: int) -> Path:
    """Return a folder for a socket of ours; short, since its path may have 108 bytes (unix(7))."""
    if user_id == 0:
        return Path("/run/fleet-agent")
    folder = environ.get("XDG_RUNTIME_DIR")
    return Path(folder or tempfile.gettempdir()) / f"fleet-agent-{user_id}"


class PodmanService:
    """Finds the socket, and starts ``podman system service`` where nobody else does."""

    def __init__(self, socket: Path | None, executable: str, folder: Path) -> None:
        self._configured = socket
        self._executable = executable
        self._folder = folder
        self._found: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def address(self) -> Path:
        """Return a socket that answers.

        Raises:
            RuntimeUnavailableError: none does, and none could be made to.
        """
        found = self._found
        if found is not None:
            return found
        async with self._lock:
            if self._found is None:
                self._found = await self._find()
                _log.info("podman answers at %s", self._found)
            return self._found

    def doubt(self) -> None:
        """Look for a socket again before the next call: the one that was found did not answer."""
        self._found = None

    async def close(self) -> None:
        """End the service if it is ours; containers go on running."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 3.0)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _find(self) -> Path:
        if self._configured is not None:
            if not await answers(self._configured):
                raise RuntimeUnavailableError(
                    f"podman does not answer at {self._configured}",
                    remedy="start it: systemctl enable --now podman.socket",
                )
            return self._configured
        default = own_socket(os.environ, os.geteuid())
        if await answers(default):
            return default
        socket = self._folder / "podman.sock"
        if not await answers(socket):
            await self._start(socket)
        return socket

    async def _start(self, socket: Path) -> None:
        await self.close()
        await asyncio.to_thread(_make_room, socket)
        environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        log = await asyncio.to_thread((self._folder / "podman.log").open, "wb")
        try:
            self._process = await asyncio.create_subprocess_exec(
                self._executable,
                *("system", "service", f"--time={IDLE_S}", f"unix://{socket}"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeUnavailableError(
                f"podman cannot be started: {self._executable}: {error.strerror}",
                remedy="install it: apt-get install podman, or dnf install podman",
            ) from error
        finally:
            log.close()
        await self._wait(self._process, socket)

    async def _wait(self, process: asyncio.subprocess.Process, socket: Path) -> None:
        deadline = asyncio.get_running_loop().time() + START_DEADLINE_S
        while not await answers(socket):
            if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                said = await asyncio.to_thread(_last_line, self._folder / "podman.log")
                raise RuntimeUnavailableError(
                    f"podman's service does not start: {said}",
                    remedy="fleet-agent check tells more",
                )
            await asyncio.sleep(_POLL_S)


async def answers(socket: Path) -> bool:
    """Tell whether somebody takes connections at the socket."""
    try:
        async with asyncio.timeout(_ANSWER_DEADLINE_S):
            _, writer = await asyncio.open_unix_connection(socket)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _make_room(socket: Path) -> None:
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket.unlink(missing_ok=True)
    except OSError as error:
        raise RuntimeUnavailableError(
            f"{socket}: no place for podman's socket: {error.strerror}",
            remedy="set [podman] socket in the agent's configuration",
        ) from error


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:300] if lines else "it said nothing"
