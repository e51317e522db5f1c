"""Reading the end of a container's log: the file that conmon writes, in podman's k8s-file format.

Each line is ``<RFC 3339 time with nanoseconds> stdout|stderr F|P <text>``; ``P`` is a part of a
line that goes on. The API gives times in whole seconds only (podman 4), which is too coarse to go
on from where an earlier read ended.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import LogLine

if TYPE_CHECKING:
    from pathlib import Path

FIRST_READ_BYTES: Final = 64 * 1024
MAX_READ_BYTES: Final = 4 * 1024 * 1024
"""More of a log is not looked at, however many lines are asked for."""
_FIELDS: Final = 4


def read_log_file(path: Path, *, tail: int, since_s: float | None = None) -> list[LogLine]:
    """Return the last lines, oldest first; reads from the end, as much as is needed.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        want = FIRST_READ_BYTES
        while True:
            start = max(0, size - want)
            file.seek(start)
            whole = start == 0 or want >= MAX_READ_BYTES
            lines = parse_log(file.read(size - start), from_start=whole)
            enough = len(lines) >= tail or (
                since_s is not None and bool(lines) and lines[0].at_s < since_s
            )
            if enough or whole:
                break
            want *= 4
    recent = [line for line in lines if since_s is None or line.at_s >= since_s]
    return recent[-tail:] if tail else []


def parse_log(content: bytes, *, from_start: bool = True) -> list[LogLine]:
    """Return the lines of a piece of a log.

    Not ``from_start``, the first one is left out, with what stands before its end: it may be torn,
    and so may be what it is a part of.
    """
    written = content.split(b"\n")
    if not from_start:
        del written[:1]
    doubtful, torn = not from_start, None
    lines: list[LogLine] = []
    pending: dict[bytes, tuple[float, list[bytes]]] = {}
    for each in written:
        fields = each.split(b" ", _FIELDS - 1)
        at_s = _moment(fields[0]) if len(fields) == _FIELDS else None
        if at_s is None:
            continue
        _, stream, flag, text = fields
        if doubtful and torn is None:
            torn = stream
        first_at_s, parts = pending.pop(stream, (at_s, []))
        parts.append(text)
        if flag == b"P":
            pending[stream] = (first_at_s, parts)
        elif stream == torn:
            torn, doubtful = None, False
            lines.clear()
        else:
            lines.append(LogLine(first_at_s, b"".join(parts).decode(errors="replace")))
    if torn is not None:
        return []
    lines += [
        LogLine(at_s, b"".join(parts).decode(errors="replace")) for at_s, parts in pending.values()
    ]
    return lines


def _moment(text: bytes) -> float | None:
    try:
        return datetime.fromisoformat(text.decode("ascii")).timestamp()
    except ValueError:
        return None
