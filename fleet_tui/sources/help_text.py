"""The text of the help: sections of pairs, in as many columns as there is room for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from fleet_core.view.filter_terms import FIELDS
from fleet_tui.commands import COMMANDS
from fleet_tui.table.lines import fit_text
from fleet_tui.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fleet_tui.table.source import Cell
    from fleet_tui.views import ViewKind

COLUMN_MIN_CELLS: Final = 72
_LEFT_MAX_CELLS: Final = 30
_INDENT: Final = "   "
FILTER_EXAMPLES: Final = (
    ("berlin", "the word stands in id, labels, version or reason"),
    ("site=berlin status!=online", "both hold: a space means and"),
    ("age>10m or version~1.4", "either; ~ contains, !~ does not"),
    ("deploy:web=failed", "how a deployment stands on the device"),
    ("not (ring=1 or hw=pi5)", "brackets"),
    ('label="two words"', "quotes, where a value holds a space"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A title, and what is told beneath it: what to type, and what it does."""

    title: str
    pairs: tuple[tuple[str, str], ...]

    def lines(self, width: int) -> list[list[Cell]]:
        """Return the section on lines of ``width`` cells, with an empty line after it."""
        longest = max((cell_len(left) for left, _ in self.pairs), default=0)
        left_width = min(longest, _LEFT_MAX_CELLS, width * 2 // 5)
        lines: list[list[Cell]] = [[(fit_text(f" {self.title}", width), "title")]]
        for left, right in self.pairs:
            room = width - len(_INDENT) - left_width - 2
            if cell_len(left) > left_width:
                lines.append([(fit_text(f"{_INDENT}{left}", width), "accent")])
                left = ""  # noqa: PLW2901 -- what it does stands on the next line
            lines.append(
                [
                    (f"{_INDENT}{fit_text(left, left_width)}  ", "accent"),
                    (fit_text(right, room), "text"),
                ]
            )
        return [*lines, [(" " * width, "text")]]


def typed_sections() -> Iterator[Section]:
    """Return what can be typed after a colon or a slash: commands, views, filters."""
    yield Section("Views, after :", tuple(map(_pair_of, VIEWS)))
    yield Section("Commands, after :", tuple((each.usage, each.help) for each in COMMANDS))
    yield Section("Filters, after / (the same as in fleet get devices)", FILTER_EXAMPLES)
    yield Section("What a filter compares, beside labels", tuple(FIELDS.items()))


def _pair_of(kind: ViewKind) -> tuple[str, str]:
    also = f" (also {', '.join(kind.aliases)})" if kind.aliases else ""
    return f"{kind.name} {kind.argument}".strip(), f"{kind.help}{also}"


def help_lines(sections: Iterable[Section], width: int) -> list[list[Cell]]:
    """Lay sections out on lines of ``width`` cells."""
    count = max(1, width // COLUMN_MIN_CELLS)
    column_width = width // count
    blocks = [section.lines(column_width) for section in sections if section.pairs]
    columns = _columns(blocks, count)
    blank: list[Cell] = [(" " * column_width, "text")]
    height = max((len(column) for column in columns), default=0)
    return [
        [cell for column in columns for cell in (column[y] if y < len(column) else blank)]
        for y in range(height)
    ]


def _columns(blocks: Sequence[list[list[Cell]]], count: int) -> list[list[list[Cell]]]:
    """Deal blocks out to columns, in order, so that the columns are about equally long."""
    left = sum(len(block) for block in blocks)
    columns: list[list[list[Cell]]] = [[]]
    for block in blocks:
        room = left / (count - len(columns) + 1)
        if columns[-1] and len(columns) < count and len(columns[-1]) + len(block) / 2 > room:
            left -= len(columns[-1])
            columns.append([])
        columns[-1] += block
    return columns
