"""The base of sources over records found anew at each look: deployments, failures, jobs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from fleet_tui.sources.live_source import LiveSource

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.view import Filter, FleetView
    from fleet_tui.table.source import Cell, Column, Sort

R = TypeVar("R")


class RecordSource(LiveSource, Generic[R]):
    """Records by key. A key has the same row number for as long as the source lives."""

    COLUMNS: tuple[Column, ...] = ()

    def __init__(
        self, view: FleetView, *, clock: Callable[[], float], sort: Sort | None = None
    ) -> None:
        super().__init__(view, sort=sort, clock=clock)
        self._records: dict[str, R] = {}
        self._keys: list[str] = []
        self._row_of: dict[str, int] = {}

    @property
    def columns(self) -> Sequence[Column]:
        """The columns."""
        return self.COLUMNS

    @property
    def sortable(self) -> Sequence[str]:
        """The columns that records can be sorted by."""
        return tuple(self.sort_keys())

    @abstractmethod
    def find(self, parsed: Filter) -> dict[str, R]:
        """Return the records to be shown, by key, in the order without a sort."""

    @abstractmethod
    def cells_of(self, record: R) -> Sequence[Cell]:
        """Return the cells of a record."""

    def sort_keys(self) -> Mapping[str, Callable[[R], Any]]:
        """Return what a record is sorted by, by column."""
        return {}

    def record(self, key: str) -> R | None:
        """Return a record that is shown."""
        return self._records.get(key)

    def key(self, row: int, /) -> str:
        """Return the key of a row."""
        return self._keys[row]

    def row(self, key: str, /) -> int | None:
        """Return the row of a key that is shown."""
        return self._row_of[key] if key in self._records else None

    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return the cells of a row."""
        return self.cells_of(self._records[self._keys[row]])

    def fingerprint(self, row: int, /) -> Hashable:
        """Return the cells themselves: there are few visible lines."""
        return tuple(self.cells(row))

    def look(self, parsed: Filter) -> list[int]:
        """Return the rows of the records found, sorted."""
        self._records = found = self.find(parsed)
        keys = self.order(list(found))
        for key in keys:
            if key not in self._row_of:
                self._row_of[key] = len(self._keys)
                self._keys.append(key)
        return [self._row_of[key] for key in keys]

    def order(self, keys: list[str]) -> list[str]:
        """Return keys in the order wanted."""
        if self.sort is not None:
            sort_key = self.sort_keys()[self.sort.column]
            keys.sort(key=lambda key: sort_key(self._records[key]), reverse=self.sort.descending)
        return keys


SEPARATOR: Final = "\n"
"""Stands between the key of a row and that of one beneath it; neither holds one."""


class FoldingSource(RecordSource[R]):
    """Records some of which stand beneath others, by keys joined with `SEPARATOR`."""

    def order(self, keys: list[str]) -> list[str]:
        """Sort the rows, and put what belongs to them beneath, in its own order."""
        beneath: dict[str, list[str]] = {}
        for key in keys:
            above, separator, _ = key.partition(SEPARATOR)
            if separator:
                beneath.setdefault(above, []).append(key)
        rows = super().order([key for key in keys if SEPARATOR not in key])
        return [each for key in rows for each in (key, *beneath.get(key, ()))]
