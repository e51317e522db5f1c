"""Devices that only answer to `exec`, as a test wants it, over a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import ExecReply, ExecRequest, Verb, command_subject
from fleet_core.errors import DeviceOfflineError, NotFoundError, RefusedError
from fleet_core.messaging import CommandServer, RequestClient
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from fleet_core.messaging import Connection, Message

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u202etxt.exe\r\n\tsecond line\n"
"""What must do nothing in a terminal: a title, a cleared screen, a colour, a text turned round."""


def uname(_asked: ExecRequest) -> ExecReply:
    """A program that ends well."""
    return ExecReply(exit_code=0, stdout="Linux\nsecond\n", stderr="")


class ExecDevices:
    """What devices answer, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ExecRequest]] = []
        self.ended: list[str] = []
        """Devices that have sent their answers."""
        self.answer: Callable[[ExecRequest], ExecReply] = uname
        """Raises FleetError where the device refuses."""
        self.may_answer = asyncio.Event()
        """Answers wait for it; it is set from the start."""
        self.may_answer.set()

    @property
    def at_work(self) -> int:
        """How many programs run now."""
        return len(self.asked) - len(self.ended)

    def server(self, connection: Connection, device: str) -> CommandServer:
        """Return a device's side of commands."""

        async def run(payload: bytes, _message: Message) -> bytes:
            asked = decode(ExecRequest, payload)
            self.asked.append((device, asked))
            await self.may_answer.wait()
            self.ended.append(device)
            return encode(self.answer(asked))

        server = CommandServer(connection, device)
        server.handle(Verb.EXEC, run)
        return server


async def heard(connection: Connection, devices: Iterable[str]) -> None:
    """Return once the server knows that these devices listen."""
    client = RequestClient(connection)
    for device in devices:
        subject = command_subject(device, "nothing")

        async def listens(subject: str = subject) -> bool:
            try:
                await client.request(subject, b"", 5)
            except DeviceOfflineError:
                return False
            return True

        await eventually_reads(listens, expected=True)


@asynccontextmanager
async def exec_devices(connection: Connection, *devices: str) -> AsyncIterator[ExecDevices]:
    """Serve these devices."""
    served = ExecDevices()
    tasks = [asyncio.create_task(served.server(connection, device).run()) for device in devices]
    try:
        await heard(connection, devices)
        yield served
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def ended(
    code: int | None, *, stdout: str = "", stderr: str = "", truncated: bool = False
) -> Callable[[ExecRequest], ExecReply]:
    """Return what a device answers where the program ended like this."""
    reply = ExecReply(exit_code=code, stdout=stdout, stderr=stderr, truncated=truncated)
    return lambda _asked: reply


def refusing(_asked: ExecRequest) -> ExecReply:
    """A device whose owner allows no programs."""
    raise RefusedError(
        "this device does not run programs for others",
        remedy='only [containers] exec = "containers" in its own configuration allows it',
    )


def without_container(_asked: ExecRequest) -> ExecReply:
    """A device that has no such container."""
    raise NotFoundError("deployment 'web' has no container 'x\x1b[2J'", remedy="one of: main")
