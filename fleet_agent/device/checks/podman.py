"""podman: that it is there, new enough, and that its API answers."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_agent.device.checks.commands import ask, find_program
from fleet_agent.device.checks.finding import Finding, Subject, fail, ok, skip
from fleet_core.errors import BrokenError, FleetError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXECUTABLE: Final = "podman"
_SOCKET: Final = "podman socket"
OLDEST: Final = (4, 0)
"""Networks in which containers find each other by name came with podman 4's netavark."""
SYSTEM_SOCKET: Final = "/run/podman/podman.sock"
_ANSWER_DEADLINE_S: Final = 2.0
_HEAD_MAX_BYTES: Final = 16_384
_INSTALL: Final = "install it: apt-get install podman, or dnf install podman"


async def check_podman(subject: Subject) -> list[Finding]:
    """Look for the program and ask its version."""
    if not subject.uses_podman:
        return [skip(_EXECUTABLE, "this device is not configured to run containers with podman")]
    name = executable(subject)
    try:
        version = await _version(subject, name)
    except NotFoundError as error:
        return [fail(_EXECUTABLE, error.message, _INSTALL)]
    except BrokenError as error:
        return [fail(_EXECUTABLE, error.message, f"find out by hand: {name} info")]
    oldest = ".".join(map(str, OLDEST))
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < OLDEST:
        return [
            fail(_EXECUTABLE, f"{name} {version} is too old", f"upgrade it to {oldest} or newer")
        ]
    return [ok(_EXECUTABLE, f"{name} {version}")]


async def check_socket(subject: Subject) -> list[Finding]:
    """Look for an API socket that answers, in the order in which the agent does."""
    if not subject.uses_podman:
        return []
    configured = subject.config.podman.socket if subject.config else None
    if configured is not None:
        try:
            return [ok(_SOCKET, f"podman {await ping(Path(configured))} answers at {configured}")]
        except BrokenError as error:
            enable = _enabling(subject)
            return [fail(_SOCKET, error.message, f"{enable}, or take [podman] socket out")]
    default = default_socket(subject)
    try:
        return [ok(_SOCKET, f"podman {await ping(default)} answers at {default}")]
    except BrokenError:
        pass
    program = await asyncio.to_thread(find_program, subject.machine, executable(subject))
    if program is None:
        what = f"nobody answers at {default}, and there is no podman to start"
        return [fail(_SOCKET, what, _INSTALL)]
    return [ok(_SOCKET, f"nobody answers at {default}: the agent starts podman's service itself")]


def executable(subject: Subject) -> str:
    """Return how podman is called."""
    return subject.config.podman.executable if subject.config else "podman"


def default_socket(subject: Subject) -> Path:
    """Return where the API socket is by default: the system's for root, else the user's."""
    machine = subject.machine
    if machine.is_root:
        return machine.path(SYSTEM_SOCKET)
    return machine.runtime_folder() / "podman" / "podman.sock"


async def ping(socket: Path) -> str:
    """Ask the API at a socket whether it is there; returns podman's version.

    Raises:
        BrokenError: nobody answers in time, or it is not podman who does.
    """
    try:
        async with asyncio.timeout(_ANSWER_DEADLINE_S):
            reader, writer = await asyncio.open_unix_connection(socket, limit=_HEAD_MAX_BYTES)
            try:
                writer.write(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
            finally:
                writer.close()
    except TimeoutError as error:
        raise BrokenError(f"{socket}: no answer within {_ANSWER_DEADLINE_S:g} s") from error
    except OSError as error:
        raise BrokenError(f"{socket}: {error.strerror}") from error
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise BrokenError(f"{socket}: what answers does not speak HTTP") from error
    status, headers = _head(head)
    if status != "200" or "libpod-api-version" not in headers:
        raise BrokenError(f"{socket}: what answers is not podman")
    return headers["libpod-api-version"]


async def _version(subject: Subject, name: str) -> str:
    told = await ask(subject.machine, name, "version", "--format", "json")
    try:
        return str(json.loads(told)["Client"]["Version"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenError(f"{name} version: it does not tell its version as podman does") from error


def _head(raw: bytes) -> tuple[str, Mapping[str, str]]:
    """Return the status and the headers of an HTTP answer, their names in small letters."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return first.partition(" ")[2][:3], headers


def _enabling(subject: Subject) -> str:
    return f"systemctl {'' if subject.machine.is_root else '--user '}enable --now podman.socket"


async def storage_folder(subject: Subject) -> Path:
    """Return where podman keeps images and containers; raises FleetError if it does not tell."""
    name = executable(subject)
    told = await ask(subject.machine, name, "info", "--format", "{{.Store.GraphRoot}}")
    folder = told.decode(errors="replace").strip()
    if not folder.startswith("/"):
        raise FleetError(f"{name} info does not tell where it stores")
    return Path(folder)
