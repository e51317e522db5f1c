"""The command ``exec``: a program in a container, or on the device where its owner allows that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from fleet_agent.commands.log_reading import chosen_container
from fleet_agent.runtime.contract import ExecOutcome
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import EXEC_MAX_STREAM_BYTES, ExecReply, ExecRequest
from fleet_core.contracts.text import REPLACEMENT
from fleet_core.errors import InvalidInputError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_agent.reconcile.reconciler import Reconciler
    from fleet_agent.runtime.contract import ContainerRuntime
    from fleet_core.messaging import Message

ExecLevel = Literal["off", "containers", "host"]
REPLY_MAX_BYTES: Final = 900 * 1024
"""Of the whole reply as it is written: a control character takes six bytes of JSON."""
_READ_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class ExecCommand:
    """Runs programs, as far as the device's own configuration allows."""

    level: ExecLevel
    reconciler: Reconciler | None
    runtime: ContainerRuntime | None

    async def __call__(self, payload: bytes, _message: Message) -> bytes:
        """Run what is asked for; returns its exit code and what it said."""
        request = decode(ExecRequest, payload)
        argv = request.argv or ["/bin/sh", "-c", request.shell or ""]
        if request.deployment is None and request.container is not None:
            raise InvalidInputError(
                "ExecRequest container: expected a deployment with it", path="deployment"
            )
        if self.level == "off":
            raise _refusal("programs", '"containers"')
        if request.deployment is None:
            if self.level != "host":
                raise _refusal("programs outside of containers", '"host"')
            outcome = await run_on_host(argv, request.timeout_s, EXEC_MAX_STREAM_BYTES)
        else:
            outcome = await self._in_container(request, argv)
        return encode(bounded_reply(outcome))

    async def _in_container(self, request: ExecRequest, argv: Sequence[str]) -> ExecOutcome:
        if self.reconciler is None or self.runtime is None or request.deployment is None:
            raise RefusedError(
                "this device runs no containers", remedy="its agent has runtime_enabled = false"
            )
        score = self.reconciler.desired(request.deployment).score
        key = chosen_container(request.deployment, request.container, score)
        return await self.runtime.exec(key, argv, request.timeout_s, EXEC_MAX_STREAM_BYTES)


def bounded_reply(outcome: ExecOutcome) -> ExecReply:
    """Return the reply, with each stream cut so that the whole can be sent."""
    stdout, cut_out = _text(outcome.stdout, REPLY_MAX_BYTES // 2)
    stderr, cut_err = _text(outcome.stderr, REPLY_MAX_BYTES // 2)
    return ExecReply(
        exit_code=outcome.exit_code,
        stdout=stdout,
        stderr=stderr,
        truncated=outcome.truncated or cut_out or cut_err,
    )


def _text(raw: bytes, limit_bytes: int) -> tuple[str, bool]:
    """Return the text, cut where it would take too much as JSON, and whether it was cut."""
    text = raw.decode(errors="replace").replace("\0", REPLACEMENT)
    whole = len(text)
    while len(json.dumps(text, ensure_ascii=False).encode()) > limit_bytes:
        text = text[: len(text) * 3 // 4]
    return text, len(text) < whole


async def run_on_host(argv: Sequence[str], timeout_s: float, limit_bytes: int) -> ExecOutcome:
    """Run a program on the device, in a session of its own; all of it is killed at the deadline.

    Raises:
        NotFoundError: there is no such program, or it may not be run.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise NotFoundError(f"{argv[0]}: {error.strerror}") from error
    captured = [
        _Captured(stream, limit_bytes) for stream in (process.stdout, process.stderr) if stream
    ]
    readers = [asyncio.create_task(each.read()) for each in captured]
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*readers)
            exit_code: int | None = await process.wait()
    except TimeoutError:
        exit_code = None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        for reader in readers:
            reader.cancel()
    stdout, stderr = captured
    truncated = stdout.truncated or stderr.truncated
    return ExecOutcome(exit_code, bytes(stdout.kept), bytes(stderr.kept), truncated)


class _Captured:
    """What a program writes to one stream, up to a limit; what is beyond is let go of."""

    def __init__(self, stream: asyncio.StreamReader, limit_bytes: int) -> None:
        self.kept = bytearray()
        self.truncated = False
        self._stream = stream
        self._limit_bytes = limit_bytes

    async def read(self) -> None:
        while chunk := await self._stream.read(_READ_BYTES):
            room = self._limit_bytes - len(self.kept)
            self.kept += chunk[:room]
            self.truncated = self.truncated or len(chunk) > room


def _refusal(what: str, level: str) -> RefusedError:
    return RefusedError(
        f"this device does not run {what} for others",
        remedy=f"only [containers] exec = {level} in the device's own configuration allows it",
    )
