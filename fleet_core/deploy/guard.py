"""The guarded side of the guardian: starts it, tells it what to end, and sees it off."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from asyncio import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from fleet_core.deploy import guardian
from fleet_core.errors import BrokenError

_log = logging.getLogger(__name__)

START_DEADLINE_S = 10.0
END_DEADLINE_S = 2 * guardian.TERMINATE_GRACE_S + guardian.REMOVE_DEADLINE_S + 2.0


class Guard:
    """A run directory and a list of processes that do not outlive this process.

    An async context manager; leaving it ends every process still watched and removes the directory,
    by the same guardian that does so after a SIGKILL. The owner runs `keep` in a task, so that a
    guardian that dies itself is replaced.

    Raises:
        BrokenError: on entering, no directory can be made; on leaving, it cannot be removed.
    """

    directory: Path
    """The run directory; exists from entering to leaving."""

    def __init__(self) -> None:
        self._watched: set[int] = set()
        self._orders = -1
        self._guardian: subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            self.directory = await self._start()
        except BaseException:
            await self._see_off()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._see_off()
        if self.directory.exists():
            raise BrokenError(
                f"the run directory could not be removed: {self.directory}", remedy="remove it"
            )

    async def _see_off(self) -> None:
        """Let the guardian do what is left to do, and wait for its end."""
        self._close_orders()
        if self._guardian is not None:
            await asyncio.wait_for(self._guardian.wait(), END_DEADLINE_S)

    @property
    def pid(self) -> int:
        """The guardian's process id; 0 where none was started."""
        return self._guardian.pid if self._guardian else 0

    def watch(self, pid: int) -> None:
        """Have a child of this process ended when this one ends, however it does."""
        self._watched.add(pid)
        self._order(f"watch {pid}")

    def forget(self, pid: int) -> None:
        """Take back a `watch`: the child has ended and was waited for."""
        self._watched.discard(pid)
        self._order(f"forget {pid}")

    async def keep(self) -> None:
        """Replace the guardian whenever it dies; runs until cancelled.

        Raises:
            BrokenError: no new one can be started.
        """
        while self._guardian is not None:
            code = await self._guardian.wait()
            _log.warning("the guardian (pid %d) ended with %d; starting another", self.pid, code)
            await self._start(str(self.directory))

    def _order(self, line: str) -> None:
        with suppress(BrokenPipeError):  # a dead guardian's successor is told everything anew
            os.write(self._orders, f"{line}\n".encode())

    async def _start(self, *adopted: str) -> Path:
        self._close_orders()
        read_end, self._orders = os.pipe()
        os.set_blocking(self._orders, False)  # its 64 KiB hold thousands of orders
        try:
            self._guardian = await subprocess.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guardian.__file__, *adopted),
                stdin=read_end,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(read_end)
        for pid in self._watched:
            self._order(f"watch {pid}")
        return await self._read_directory(self._guardian.stdout)

    async def _read_directory(self, output: asyncio.StreamReader | None) -> Path:
        line = b""
        if output is not None:
            line = await asyncio.wait_for(output.readline(), START_DEADLINE_S)
        if not line:
            raise BrokenError(
                f"no run directory could be made in {tempfile.gettempdir()}",
                remedy="make room there, or set TMPDIR to a directory that can be written to",
            )
        return Path(os.fsdecode(line.rstrip(b"\n")))

    def _close_orders(self) -> None:
        if self._orders >= 0:
            os.close(self._orders)
            self._orders = -1
