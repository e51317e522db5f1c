"""What a `VirtualTable` draws from: columns, an order of rows, and the cells of one row.

A source is a window on a columnar store. It hands out no row objects: a row is a number of the
store (its slot), meaningful until the store changes; what lasts is the row's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Align: TypeAlias = Literal["left", "right"]

Cell: TypeAlias = tuple[str, str]
"""The text of a cell and the name of its style, one of `fleet_tui.themes.STYLE_NAMES`.

The text is shown as text: markup means nothing, control characters are replaced.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its width rule, in cells.

    Fixed: ``Column("state", "STATE", 10)``. At least 12, taking two shares of what is left over:
    ``Column("reason", "REASON", 12, flex=2)``; ``max_width`` bounds what it takes.
    """

    key: str
    title: str
    min_width: int
    flex: int = 0
    max_width: int = 1_000
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class Sort:
    """What the rows are sorted by; the header shows it as an arrow."""

    column: str
    descending: bool = False


class TableSource(Protocol):
    """The rows of a table, as it asks for them: only visible lines, again at every tick.

    All of it is called from the event loop and must be quick: `cells` and `fingerprint` well under
    20 µs, the rest at once. Nothing here is told to the table: it looks when its owner calls
    `VirtualTable.tick`.
    """

    @property
    def columns(self) -> Sequence[Column]:
        """The columns; the first is frozen when the others scroll sideways."""

    @property
    def rows(self) -> Sequence[int]:
        """The rows shown, in order; a list, for its quick ``index``. May be sorted in place."""

    @property
    def version(self) -> int:
        """A number that differs whenever `columns`, `rows` or `sort` differ from before."""

    @property
    def sort(self) -> Sort | None:
        """What the rows are sorted by, if by a column."""

    def key(self, row: int, /) -> str:
        """Return the key of a row: what the cursor and the marks hold on to."""

    def row(self, key: str, /) -> int | None:
        """Return the row of a key, shown or not; None if there is no such row."""

    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return one cell for each column."""

    def fingerprint(self, row: int, /) -> Hashable:
        """Return a small value that differs whenever the cells of the row would be drawn otherwise.

        What is drawn coarsely (an age as ``45s``, ``1m``, ``2h``) goes in as coarsely, or the line
        is painted again for nothing.
        """
