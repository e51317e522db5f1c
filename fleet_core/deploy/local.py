"""`LocalTopology`: the fleet's programs as real processes on this machine, gone when it ends."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Self

from fleet_core.deploy.executables import command_of
from fleet_core.deploy.guard import Guard
from fleet_core.deploy.log_file import LogFile
from fleet_core.deploy.ports import LOOPBACK, free_port, is_free
from fleet_core.deploy.supervision import LocalProgram, SupervisedProgram
from fleet_core.deploy.topology import Place, Program, Topology
from fleet_core.errors import BrokenError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_log = logging.getLogger(__name__)

PORT_ATTEMPTS: Final = 3
LOG_CHECK_S: Final = 10.0


@dataclass(slots=True)
class _Running:
    supervised: SupervisedProgram
    keeper: asyncio.Task[None]
    restarts_before: int = 0
    """Its restarts when it was last asked for: `check` reports those that came later."""


class LocalTopology(Topology):
    """Processes of this user on loopback ports, in a run directory of their own.

    An async context manager, entered from the main thread. Each program is restarted when it ends:
    on the same port, in the same directory, so that a nats-server that was killed comes back with
    its store. Five ends within a minute are a crash loop, which `wait_broken` raises. However this
    process ends, SIGKILL included, nothing stays: no process, and not the run directory.
    """

    def __init__(self, report: Callable[[str], None] | None = None) -> None:
        self._report = report or (lambda sentence: _log.warning("%s", sentence))
        self._guard = Guard()
        self._cleanup = AsyncExitStack()
        self._places: dict[str, Place] = {}
        self._running: dict[str, _Running] = {}
        self._broken = asyncio.Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise BrokenError("programs that end with this process are started in its main thread")
        async with AsyncExitStack() as cleanup:
            await cleanup.enter_async_context(self._guard)
            for work, name in ((self._guard.keep(), "guardian"), (self._bound_logs(), "log sizes")):
                cleanup.push_async_callback(_end_task, self._own(work, name))
            cleanup.push_async_callback(self._stop_all)
            await asyncio.to_thread((self.directory / "logs").mkdir)
            self._cleanup = cleanup.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._cleanup.aclose()

    @property
    def directory(self) -> Path:
        """The run directory: the logs, and a directory for each program."""
        return self._guard.directory

    async def ensure_running(self, program: Program) -> None:
        """Start it, on a free loopback port where it listens; see `Topology.ensure_running`."""
        place = self._places.get(program.name)
        if place is None:
            self._running[program.name] = await self._start_in_new_place(program)
            return
        wanted = _in_place(program, place)
        running = self._running.get(program.name)
        if running is None or running.keeper.done() or running.supervised.program != wanted:
            await self.ensure_stopped(program.name)
            self._running[program.name] = await self._start(wanted)
        else:
            await running.supervised.until_running()
            running.restarts_before = running.supervised.restarts

    async def ensure_stopped(self, name: str) -> None:
        """End its process, at the latest by SIGKILL; it keeps its port and directory."""
        running = self._running.pop(name, None)
        if running is not None:
            await _end_task(running.keeper)
            await running.supervised.stop()

    async def address(self, name: str) -> tuple[str, int]:
        """Return the loopback address and the port it was given; the same for its whole life."""
        place = self._places.get(name)
        if place is None or not place.port:
            raise NotFoundError(
                f"no program {name!r} listens in this topology", remedy="deploy its Score first"
            )
        return place.host, place.port

    async def check(self, name: str) -> None:
        """See `Topology.check`; a restart since `ensure_running` counts as an end."""
        running = self._get(name)
        supervised = running.supervised
        if supervised.restarts > running.restarts_before or running.keeper.done():
            raise await supervised.broken()

    async def log_tail(self, name: str) -> list[str]:
        """Return the last lines of its log file."""
        return await asyncio.to_thread(self._get(name).supervised.log.tail)

    def pid(self, name: str) -> int:
        """Return the process id of a program's latest run.

        Raises:
            NotFoundError: there is no such program.
        """
        return self._get(name).supervised.pid

    async def wipe(self, name: str) -> None:
        """Stop a program and empty its directory, as if its disk had been replaced."""
        await self.ensure_stopped(name)
        place = self._places.get(name)
        if place is not None:
            await asyncio.to_thread(shutil.rmtree, place.directory, ignore_errors=True)

    async def wait_broken(self) -> NoReturn:
        """Wait until something can no longer be kept running, and raise that.

        Raises:
            BrokenError: a program ended too often; carries its last log lines.
        """
        await self._broken.wait()
        raise self._failure or BrokenError("the topology broke")

    def _get(self, name: str) -> _Running:
        running = self._running.get(name)
        if running is None:
            raise NotFoundError(f"no program {name!r} runs here", remedy="deploy its Score first")
        return running

    async def _start_in_new_place(self, program: Program) -> _Running:
        directory = self.directory / program.name
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            port = free_port() if program.listens else 0
            place = Place(directory=directory, host=LOOPBACK, port=port)
            try:
                running = await self._start(_in_place(program, place))
            except BrokenError:
                if not attempts_left or not port or is_free(port):
                    raise
                continue  # somebody else took the port before the program did
            self._places[program.name] = place
            return running
        raise BrokenError(f"{program.name} found no free port")

    async def _start(self, program: LocalProgram) -> _Running:
        log = LogFile(self.directory / "logs" / f"{program.name}.log")
        supervised = SupervisedProgram(program, log, self._guard, self._report)
        await supervised.start()
        return _Running(supervised, self._own(supervised.keep(), f"keeper of {program.name}"))

    def _own(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = self._failure or failure
            self._broken.set()

    async def _stop_all(self) -> None:
        for name in reversed(list(self._running)):
            await self.ensure_stopped(name)

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_S)
            for running in list(self._running.values()):
                await asyncio.to_thread(running.supervised.log.bound)


def _in_place(program: Program, place: Place) -> LocalProgram:
    return LocalProgram(
        name=program.name,
        command=(*command_of(program.executable), *program.arguments(place)),
        directory=Path(place.directory),
        files=program.files(place),
        port=place.port,
    )


async def _end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and see it end; what it raised was taken note of by `_on_task_done`."""
    task.cancel()
    await asyncio.wait([task])
