"""The base of sources that follow the read model: filter, sort, and when to look anew."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from fleet_core.view import Filter, parse_filter
from fleet_tui.table.source import Column, Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from fleet_core.view import FleetView
    from fleet_tui.table.source import Cell

_SHARE_OF_TIME: Final = 0.05
"""Looking anew may take this share of a core: a view of 100,000 rows looks more seldom."""
_LONGEST_WAIT_S: Final = 3.0


class LiveSource(ABC):
    """Rows of the read model, filtered and sorted; a row is a number that a subclass gives out."""

    def __init__(
        self, view: FleetView, *, sort: Sort | None = None, clock: Callable[[], float]
    ) -> None:
        self.view = view
        self.clock = clock
        """Unix seconds, for ages."""
        self.sort = sort
        self.version = 0
        self.rows: list[int] = []
        self.faults_only = False
        self.filter = ""
        self._seen: Hashable = None
        self._looked_at = 0.0
        self._cost_s = 0.0
        self._parsed = Filter(None)
        self._parsed_text = ""

    @property
    @abstractmethod
    def columns(self) -> Sequence[Column]:
        """The columns."""

    @property
    @abstractmethod
    def sortable(self) -> Sequence[str]:
        """The columns that rows can be sorted by."""

    @property
    @abstractmethod
    def total(self) -> int:
        """How many rows there are without a filter."""

    @abstractmethod
    def key(self, row: int, /) -> str:
        """Return the key of a row."""

    @abstractmethod
    def row(self, key: str, /) -> int | None:
        """Return the row of a key."""

    @abstractmethod
    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return the cells of a row."""

    @abstractmethod
    def fingerprint(self, row: int, /) -> Hashable:
        """Return what differs whenever the cells do."""

    @abstractmethod
    def look(self, parsed: Filter) -> list[int]:
        """Return the rows that are to be shown, in order."""

    @abstractmethod
    def state_of_view(self) -> Hashable:
        """Return what differs whenever `look` could find something else."""

    def completions(self, text: str) -> Sequence[str]:
        """Return what a filter being typed could become."""
        del text
        return ()

    def set_filter(self, text: str) -> None:
        """Show only what matches; raises FilterError, and then nothing has changed."""
        parsed = parse_filter(text)
        self.filter = text.strip()
        self._parsed, self._parsed_text = parsed, self.filter
        self.refresh(now=True)

    def set_sort(self, column: str, *, descending: bool | None = None) -> None:
        """Sort by a column; None turns the direction round if it is sorted by this one already."""
        if descending is None:
            same = self.sort is not None and self.sort.column == column
            descending = same and self.sort is not None and not self.sort.descending
        self.sort = Sort(column, descending)
        self.refresh(now=True)

    def refresh(self, *, now: bool = False) -> None:
        """Look anew, unless nothing changed or it was done a moment ago."""
        state = self.state_of_view()
        started = time.monotonic()
        wait_s = min(self._cost_s / _SHARE_OF_TIME, _LONGEST_WAIT_S)
        if not now and (state == self._seen or started - self._looked_at < wait_s):
            return
        if self._parsed_text != self.filter:
            self._parsed, self._parsed_text = parse_filter(self.filter), self.filter
        rows = self.look(self._parsed)
        self._cost_s = time.monotonic() - started
        self._looked_at = time.monotonic()
        self._seen = state
        if now or rows != self.rows:
            self.rows = rows
            self.version += 1
