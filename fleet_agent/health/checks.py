"""The HTTP and TCP checks of a service, in the kubelet's words; asyncio's streams and no more.

Whatever the other side does is an answer, never an error: it may refuse, reset, be silent, send
garbage or send without end. The words are those of Kubernetes' ``pkg/probe/http`` and
``pkg/probe/tcp``, that is of Go's network errors, without the probing side's port: it differs each
time and says nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleet_agent import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_core.contracts.probes import HttpCheck

MAX_ANSWER_BYTES: Final = 8 * 1024
"""So much is read of a status line, and once more of what comes after it."""
_MAX_QUOTED: Final = 64
_STATUS_LINE: Final = re.compile(rb"HTTP/\d\.\d (\d{3})(?: [^\n]*)?\r?\n")
_SUCCESS: Final = range(200, 400)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The answer to one check."""

    succeeded: bool
    message: str = ""
    """Why it failed."""


_SUCCEEDED: Final = CheckResult(succeeded=True)


async def check_tcp(address: str, port: int, timeout_s: float) -> CheckResult:
    """Tell whether a connection is taken within ``timeout_s`` seconds.

    ``port`` is where the container's is reached at ``address``, an IPv4 or IPv6 address.
    """
    try:
        async with asyncio.timeout(timeout_s), _connected(address, port):
            return _SUCCEEDED
    except TimeoutError:
        return _failed(f"dial tcp {_host(address, port)}: i/o timeout")
    except _NotConnectedError as error:
        return _failed(str(error))


async def check_http(address: str, port: int, check: HttpCheck, timeout_s: float) -> CheckResult:
    """Tell whether a GET is answered with 200 to 399 within ``timeout_s`` seconds.

    ``port`` is where the container's is reached at ``address``, an IPv4 or IPv6 address. The status
    line alone decides: redirects are not followed. A little of what comes after it is read, so that
    a server of short answers does not see its connection reset.
    """
    line = b""
    try:
        async with asyncio.timeout(timeout_s), _connected(address, port) as (reader, writer):
            writer.write(_request(address, port, check))
            line = await _read_line(reader)
            await _read_off(reader)
        problem = ""
    except TimeoutError:
        problem = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    except _NotConnectedError as error:
        problem = str(error)
    except OSError as error:
        problem = f"read tcp {_host(address, port)}: read: {_in_words(error)}"
    return _judge(line, problem, f"http://{_host(address, port)}{check.path}")


def _judge(line: bytes, problem: str, url: str) -> CheckResult:
    """Return the result of what was read; ``problem`` counts only where that is nothing."""
    if not line:
        return _failed(f'Get "{url}": {problem or "EOF"}')
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        quoted = line[:_MAX_QUOTED].decode("ascii", "backslashreplace").strip()
        return _failed(f'Get "{url}": malformed HTTP response {quoted!r}')
    if (status := int(found[1])) not in _SUCCESS:
        return _failed(f"HTTP probe failed with statuscode: {status}")
    return _SUCCEEDED


def _request(address: str, port: int, check: HttpCheck) -> bytes:
    """Return the request; the score's headers replace ours, whatever case they are written in."""
    headers = {
        "host": ("Host", _host(address, port)),
        "user-agent": ("User-Agent", f"fleet-probe/{__version__}"),
        "accept": ("Accept", "*/*"),
    }
    headers |= {name.lower(): (name, value) for name, value in check.headers.items()}
    headers["connection"] = ("Connection", "close")
    target = check.path.partition("#")[0]
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.values())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class _NotConnectedError(Exception):
    """No connection came about; says why as Go does."""


@asynccontextmanager
async def _connected(
    address: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and leave nothing of the connection behind."""
    try:
        reader, writer = await asyncio.open_connection(address, port, limit=MAX_ANSWER_BYTES)
    except TimeoutError:
        raise
    except OSError as error:
        reason = f"dial tcp {_host(address, port)}: connect: {_in_words(error)}"
        raise _NotConnectedError(reason) from error
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Return the first line, or what there is of it: to the end, or to the limit."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return await reader.read(_MAX_QUOTED)


async def _read_off(reader: asyncio.StreamReader) -> None:
    """Read to the end, but no more than `MAX_ANSWER_BYTES`."""
    with suppress(asyncio.IncompleteReadError):
        await reader.readexactly(MAX_ANSWER_BYTES)


def _host(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _in_words(error: OSError) -> str:
    """Return what Go says of it: the system's words, in lower case."""
    if error.errno is None or error.errno < 0:
        return str(error)
    return os.strerror(error.errno).lower()


def _failed(message: str) -> CheckResult:
    return CheckResult(succeeded=False, message=message)
