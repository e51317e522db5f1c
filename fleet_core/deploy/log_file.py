"""The log file of one program: written by the program itself, read for its last lines, bounded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fleet_core.contracts.text import printable_lines

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024
KEPT_BYTES = 256 * 1024
TAIL_BYTES = 16 * 1024
TAIL_LINES = 12
TAIL_COLUMNS = 400


class LogFile:
    """A file that a program appends its standard output and error to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Return a new file descriptor that appends; created for the owner alone."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.path, flags, 0o600)

    def tail(self) -> list[str]:
        """Return the last lines, made safe to show; empty where nothing was written."""
        text = self._last(TAIL_BYTES).decode(errors="replace")
        return printable_lines(text, limit_lines=TAIL_LINES, limit_columns=TAIL_COLUMNS)

    def bound(self, limit_bytes: int = LIMIT_BYTES, kept_bytes: int = KEPT_BYTES) -> None:
        """Cut a file that outgrew the limit down to its end.

        The program goes on writing meanwhile: it appends, so its next line follows what was kept.
        Lines that it writes between the reading and the cutting are lost.
        """
        if not self.path.exists() or self.path.stat().st_size <= limit_bytes:
            return
        kept = self._last(kept_bytes)
        os.truncate(self.path, 0)
        descriptor = self.open()
        try:
            os.write(descriptor, kept)
        finally:
            os.close(descriptor)

    def _last(self, count: int) -> bytes:
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - count))
            return file.read(count)
