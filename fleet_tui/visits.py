"""The views that were visited, walked through by ``[`` and ``]``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_VISITS: Final = 100


class Visits:
    """Lines as typed, oldest first, and a place among them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._place = -1
        self._held = False

    def add(self, line: str) -> None:
        """Note a visit; what lay ahead is forgotten, as in a browser."""
        if self._held or (self._lines and self._lines[self._place] == line):
            return
        del self._lines[self._place + 1 :]
        self._lines.append(line)
        del self._lines[:-KEPT_VISITS]
        self._place = len(self._lines) - 1

    def move(self, step: int) -> str | None:
        """Return the view ``step`` further on (-1: the one before); None where there is none."""
        place = self._place + step
        if not 0 <= place < len(self._lines):
            return None
        self._place = place
        return self._lines[place]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Note no visits for a while."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
