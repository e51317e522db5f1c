"""A source over a short list of rows held as they are drawn: deployments, failures, containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fleet_tui.table.source import Cell, Column, Sort


class StaticSource:
    """Rows given whole by `replace`; for up to a few thousand of them."""

    def __init__(self, columns: Sequence[Column], *, sort: Sort | None = None) -> None:
        self.columns = tuple(columns)
        self.sort = sort
        self.version = 0
        self.rows: list[int] = []
        self._keys: list[str] = []
        self._cells: list[tuple[Cell, ...]] = []
        self._row_of: dict[str, int] = {}

    def replace(
        self, rows: Iterable[tuple[str, Sequence[Cell]]], *, sort: Sort | None = None
    ) -> None:
        """Show these rows (key, cells), in this order; of equal keys the first one counts."""
        by_key: dict[str, tuple[Cell, ...]] = {}
        for key, cells in rows:
            by_key.setdefault(key, tuple(cells))
        keys = list(by_key)
        if keys != self._keys or sort != self.sort:
            self.version += 1
        self._keys = keys
        self._cells = list(by_key.values())
        self._row_of = {key: row for row, key in enumerate(keys)}
        self.rows = list(range(len(keys)))
        self.sort = sort

    def key(self, row: int, /) -> str:
        """Return the key of a row."""
        return self._keys[row]

    def row(self, key: str, /) -> int | None:
        """Return the row of a key."""
        return self._row_of.get(key)

    def cells(self, row: int, /) -> tuple[Cell, ...]:
        """Return the cells as they were given."""
        return self._cells[row]

    def fingerprint(self, row: int, /) -> tuple[Cell, ...]:
        """Return the cells: comparing them is cheap in a short list."""
        return self._cells[row]
