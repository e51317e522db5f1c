"""What devices answered to `exec`: exit codes and output, bounded; errors with their remedies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.commands import EXEC_MAX_STREAM_BYTES, ExecReply
from fleet_core.contracts.text import printable, printable_lines
from fleet_core.errors import DeviceOfflineError, FleetError, RefusedError
from fleet_core.operations.plans import TargetResult
from fleet_core.operations.replies import failed, read_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_core.messaging import Reply

KEPT_CHARS: Final = 8 * 1024 * 1024
"""Of each of the two streams, over all devices of one operation."""
EXIT_KIND: Final = "exit"
"""The kind of a result whose program ended with another code than 0."""
DEADLINE_KIND: Final = "deadline"
"""The kind of a result whose program was ended by its deadline."""
_UNKNOWN_VERB: Final = "this device does not do"
"""How an agent that does not know a command begins its refusal."""
_SHOWN_CHARS: Final = 160


@dataclass(frozen=True, slots=True)
class ExecOutput:
    """What a program did, as a result's ``data`` tells it."""

    exit_code: int | None
    """None where the deadline ended it."""
    stdout: str
    """As the device sent it: not safe to show as it stands."""
    stderr: str
    """As the device sent it: not safe to show as it stands."""
    truncated: bool
    """There was more than was kept."""

    @classmethod
    def of(cls, data: Mapping[str, object]) -> ExecOutput | None:
        """Return the output of a result's data; None where the program was not run."""
        if "exit_code" not in data:
            return None
        code = data["exit_code"]
        return cls(
            code if isinstance(code, int) else None,
            str(data["stdout"]),
            str(data["stderr"]),
            bool(data["truncated"]),
        )


def kept_chars(devices: int) -> int:
    """Return how much is kept of each stream of a device, where so many are asked.

    In characters: what is no UTF-8 takes a byte on the device, and three as it is sent.
    """
    return min(EXEC_MAX_STREAM_BYTES, KEPT_CHARS // max(devices, 1))


def exec_result(
    device: str, answer: Reply, *, limit_chars: int = EXEC_MAX_STREAM_BYTES
) -> TargetResult:
    """Return what a device's answer says.

    Raises:
        FleetError: the device answered with an error, or with something else than an answer.
    """
    reply = read_reply(ExecReply, answer.data)
    stdout, stderr = reply.stdout[:limit_chars], reply.stderr[:limit_chars]
    code = reply.exit_code
    ended = "ended by its deadline" if code is None else f"exit code {code}"
    said = _last_line(reply.stdout if code == 0 else reply.stderr or reply.stdout)
    return TargetResult(
        device,
        ok=code == 0,
        message=f"{ended}: {said}" if said else ended,
        rtt_ms=answer.rtt_ms,
        kind="ok" if code == 0 else DEADLINE_KIND if code is None else EXIT_KIND,
        data={
            "exit_code": code,
            "stdout": stdout,
            "stderr": stderr,
            "truncated": reply.truncated or (stdout, stderr) != (reply.stdout, reply.stderr),
        },
        outcome=ended,
    )


def exec_failed(device: str, error: FleetError) -> TargetResult:
    """Return the result of a device that did not run it, with what can be done about it."""
    result = failed(device, error)
    message = result.message
    if isinstance(error, DeviceOfflineError):
        message = (
            "nobody answers for it: it is offline, or its agent is too old for exec "
            "(fleet ping tells which)"
        )
    elif isinstance(error, RefusedError):
        if message.startswith(_UNKNOWN_VERB):
            message = "its agent is too old for exec (update the agent)"
        elif not message.endswith(")"):
            message += " (what a device runs for others is set in its own configuration)"
    return replace(result, message=message, outcome=error.kind)


def _last_line(text: str) -> str:
    lines = printable_lines(text.rstrip(), limit_lines=1, limit_columns=_SHOWN_CHARS)
    return printable(lines[0].strip(), _SHOWN_CHARS) if lines else ""
