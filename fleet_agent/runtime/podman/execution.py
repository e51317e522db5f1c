"""Running a program in a container: podman's exec sessions, bounded in time and in bytes."""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import TYPE_CHECKING, Any, Final

from fleet_agent.runtime.contract import ExecOutcome
from fleet_agent.runtime.podman.api import answer_of, post_json
from fleet_agent.runtime.podman.processes import kill_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from podman.api.client import APIClient

_HEADER: Final = struct.Struct(">BxxxL")
"""Before each frame: which stream, and how many bytes (Docker's attach format)."""
_STDERR: Final = 2
_MARGIN_S: Final = 10.0


def run_in_container(
    api: APIClient, name: str, argv: Sequence[str], timeout_s: float, limit_bytes: int
) -> ExecOutcome:
    """Run a program to its end or its deadline; for a thread.

    Raises:
        ApiError: podman refused, since there is no such container, or it does not run.
    """
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
    session = answer_of(post_json(api, f"/containers/{name}/exec", body))["Id"]
    response = post_json(
        api,
        f"/exec/{session}/start",
        {"Detach": False, "Tty": False},
        stream=True,
        timeout=timeout_s + _MARGIN_S,
    )
    over = threading.Event()
    timer = threading.Timer(timeout_s, _kill, (api, session, over))
    timer.daemon = True
    timer.start()
    try:
        answer_of(response, streamed=True)
        stdout, stderr, truncated = read_frames(response.iter_content(16_384), limit_bytes)
    finally:
        timer.cancel()
        response.close()
    exit_code = _inspect(api, session).get("ExitCode")
    return ExecOutcome(None if over.is_set() else exit_code, stdout, stderr, truncated)


def read_frames(chunks: Iterable[bytes], limit_bytes: int) -> tuple[bytes, bytes, bool]:
    """Return (stdout, stderr, whether some was left out) of a stream of frames."""
    pending = bytearray()
    streams = {1: bytearray(), _STDERR: bytearray()}
    truncated = False
    for chunk in chunks:
        pending += chunk
        while len(pending) >= _HEADER.size:
            stream, size = _HEADER.unpack_from(pending)
            end = _HEADER.size + size
            if len(pending) < end:
                break
            target = streams[_STDERR if stream == _STDERR else 1]
            room = limit_bytes - len(target)
            target += pending[_HEADER.size : _HEADER.size + min(size, room)]
            truncated = truncated or size > room
            del pending[:end]
    return bytes(streams[1]), bytes(streams[_STDERR]), truncated


def _inspect(api: APIClient, session: str) -> Any:
    return answer_of(api.get(f"/exec/{session}/json", timeout=_MARGIN_S))


def _kill(api: APIClient, session: str, over: threading.Event) -> None:
    """Kill the program and what it began: podman has no call for it, but tells its process."""
    over.set()
    with contextlib.suppress(Exception):
        process = int(_inspect(api, session).get("Pid") or 0)
        if process > 1:
            kill_tree(process)
