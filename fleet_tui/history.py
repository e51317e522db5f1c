"""What was typed before, in commands and filters: walked through by up and down, kept in a file."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

KEPT_LINES: Final = 500
LINE_MAX_CHARS: Final = 1_000


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where fleet keeps what it remembers, by the XDG Base Directory Specification."""
    base = environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "fleet"


class History:
    """Lines, oldest first. Without a path nothing is kept beyond the session."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.lines: list[str] = _read(path) if path is not None else []
        self._place = len(self.lines)
        self._draft = ""

    def add(self, line: str) -> None:
        """Note a line; one that was typed before moves to the end."""
        line = line.strip()[:LINE_MAX_CHARS]
        if not line:
            return
        if line in self.lines:
            self.lines.remove(line)
        self.lines.append(line)
        del self.lines[:-KEPT_LINES]
        self.restart()
        self._save()

    def restart(self) -> None:
        """Start walking from the end again."""
        self._place = len(self.lines)
        self._draft = ""

    def recall(self, step: int, typed: str) -> str | None:
        """Return the line ``step`` further on (-1: the one before); None where there is none.

        What was being typed is met again at the end.
        """
        place = self._place + step
        if not 0 <= place <= len(self.lines):
            return None
        if self._place == len(self.lines):
            self._draft = typed
        self._place = place
        return self._draft if place == len(self.lines) else self.lines[place]

    def _save(self) -> None:
        if self._path is None:
            return
        waiting = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            waiting.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
            waiting.replace(self._path)
        except OSError as error:
            # A full disk must not end the session; the lines stay in memory.
            _log.warning("the history cannot be written: %s", error)
            self._path = None


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [line[:LINE_MAX_CHARS] for line in lines if line.isprintable()][-KEPT_LINES:]
