"""Keeps one local program running: starts it again in its place, and gives up on a crash loop."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio import subprocess
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_core.deploy import die_with_parent
from fleet_core.deploy.executables import child_environment
from fleet_core.deploy.ports import listens
from fleet_core.deploy.restarts import MAX_EXITS, WINDOW_S, describe_exit, restart_delay_s
from fleet_core.errors import BrokenError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_core.deploy.guard import Guard
    from fleet_core.deploy.log_file import LogFile

STOP_GRACE_S: Final = 2.0
"""How long a program may take to end after SIGTERM before it gets SIGKILL."""
LISTEN_DEADLINE_S: Final = 10.0
RESTART_DEADLINE_S: Final = 15.0
_LISTEN_POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class LocalProgram:
    """A program as this machine runs it."""

    name: str
    command: tuple[str, ...]
    directory: Path
    """Its own, and where it is started."""
    files: dict[str, str]
    """Written into the directory before each start: name → content."""
    port: int
    """Where it listens, on the loopback address; 0 if it does not."""


class SupervisedProgram:
    """One program's process, over its restarts.

    The owner calls `start`, then runs `keep` in a task, and `stop` after that task has ended.
    """

    def __init__(
        self, program: LocalProgram, log: LogFile, guard: Guard, report: Callable[[str], None]
    ) -> None:
        self.program = program
        self.log = log
        self.restarts = 0
        """How often it was started again since `start`."""
        self._running = asyncio.Event()
        self._guard = guard
        self._report = report
        self._process: subprocess.Process | None = None
        self._exits_at_s: deque[float] = deque(maxlen=MAX_EXITS)
        self._last_exit = "nothing"

    @property
    def pid(self) -> int:
        """The process id of the latest run; 0 before the first."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start the process; where it listens, return when it does.

        Raises:
            BrokenError: it ended before it listened; carries its last log lines.
        """
        await asyncio.to_thread(self._write_files)
        log = self.log.open()
        try:
            self._process = await subprocess.create_subprocess_exec(
                *die_with_parent.wrap(self.program.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.program.directory,
                env=child_environment(),
                start_new_session=True,  # ctrl+c is for the parent, which ends them in order
            )
        finally:
            os.close(log)
        self._guard.watch(self._process.pid)
        if self.program.port:
            try:
                await self._until_listening(self._process)
            except asyncio.CancelledError:
                await self.stop(grace_s=0)
                raise
        self._running.set()

    async def keep(self) -> None:
        """Start it again whenever it ends; runs until cancelled.

        Raises:
            BrokenError: it ended too often within a minute.
        """
        while self._process is not None:
            await self._wait_for_end(self._process)
            now_s = time.monotonic()
            self._exits_at_s.append(now_s)
            delay_s = restart_delay_s(self._exits_at_s, now_s)
            if delay_s is None:
                raise await self.broken(
                    f"ended {MAX_EXITS} times within {WINDOW_S:.0f} s, the last time"
                )
            self._report(f"{self.program.name} ended with {self._last_exit}; starting it again")
            self.restarts += 1
            await asyncio.sleep(delay_s)
            await self._start_again()

    async def until_running(self) -> None:
        """Wait out a restart that is under way.

        Raises:
            BrokenError: it does not come back.
        """
        try:
            await asyncio.wait_for(self._running.wait(), RESTART_DEADLINE_S)
        except TimeoutError:
            raise await self.broken() from None

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """End the process: SIGTERM, and SIGKILL after ``grace_s``."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            process.kill()
        finally:
            await self._wait_for_end(process)

    async def broken(self, how: str = "ended") -> BrokenError:
        """Return the error that says how it ended, with the last lines of its log."""
        tail = await asyncio.to_thread(self.log.tail)
        lines = "\n".join(["; its log ends with:", *tail]) if tail else "; its log is empty"
        return BrokenError(f"{self.program.name} {how} with {self._last_exit}{lines}")

    def _write_files(self) -> None:
        self.program.directory.mkdir(exist_ok=True)
        for name, content in self.program.files.items():
            (self.program.directory / name).write_text(content)

    async def _start_again(self) -> None:
        try:
            await self.start()
        except BrokenError as error:
            self._report(
                str(error)
            )  # it has ended again, which the loop in `keep` finds and counts

    async def _wait_for_end(self, process: subprocess.Process) -> None:
        code = await process.wait()
        self._running.clear()
        self._guard.forget(process.pid)
        self._last_exit = describe_exit(code)

    async def _until_listening(self, process: subprocess.Process) -> None:
        deadline = time.monotonic() + LISTEN_DEADLINE_S
        while not await asyncio.to_thread(listens, process.pid, self.program.port):
            if process.returncode is not None:
                await self._wait_for_end(process)
                raise await self.broken(f"never listened on port {self.program.port}, but ended")
            if time.monotonic() > deadline:
                await self.stop()
                raise await self.broken(f"did not listen on port {self.program.port}, was ended")
            await asyncio.sleep(_LISTEN_POLL_S)
