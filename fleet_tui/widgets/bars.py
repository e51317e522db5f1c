"""Progress bars of plain characters, that read without colour too. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FILLS: Final = ("█", "▒", "!", "·")
"""Done, under way, failed, out of reach."""


def bar_text(counts: Sequence[int], width: int) -> str:
    """Return a bar of ``width`` cells, its parts as large as their counts (at most four).

    What is not zero gets a cell at least: one failure among 100,000 devices must be seen.
    """
    total = sum(counts)
    if not total:
        return " " * width
    cells = [max(1, count * width // total) if count else 0 for count in counts]
    while sum(cells) > width:
        cells[cells.index(max(cells))] -= 1
    # What rounding left over goes to the largest part.
    cells[cells.index(max(cells))] += width - sum(cells)
    return "".join(fill * count for fill, count in zip(FILLS, cells, strict=False))
