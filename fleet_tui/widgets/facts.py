"""Facts as names and values, flowed into as many columns as there is room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells
from textual.strip import Strip
from textual.widget import Widget

from fleet_core.contracts.text import printable
from fleet_tui.table.lines import LineBuilder, fit_text
from fleet_tui.themes import styles_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.geometry import Size

    from fleet_tui.table.source import Cell

COLUMN_MIN_CELLS: Final = 38
"""Narrower columns would cut most values."""
_VALUE_MAX_CHARS: Final = 2_000
_LINES_PER_FACT_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what is to be said of it."""

    name: str
    value: str
    style: str = "text"
    wide: bool = False
    """Whether it takes whole lines, wrapped: labels, errors."""


def fact_lines(facts: Iterable[Fact], width: int) -> list[list[Cell]]:
    """Lay facts out on lines of ``width`` cells; values are made inert."""
    shown = list(facts)
    if not shown or width <= 0:
        return []
    name_width = max(cell_len(fact.name) for fact in shown) + 2
    columns = max(1, width // COLUMN_MIN_CELLS)
    column_width = width // columns
    lines: list[list[Cell]] = []
    free = 0  # columns that are left on the last line
    for fact in shown:
        value = printable(fact.value, _VALUE_MAX_CHARS)
        name = fit_text(f" {fact.name}", name_width)
        span = -(-(name_width + cell_len(value) + 1) // column_width)
        if fact.wide or span > columns:
            lines += _wrapped(name, value, fact.style, width - name_width)
            free = 0
            continue
        if span > free:
            lines.append([])
            free = columns
        free -= span
        lines[-1] += [
            (name, "dim"),
            (fit_text(value, span * column_width - name_width), fact.style),
        ]
    return lines


def _wrapped(name: str, value: str, style: str, room: int) -> list[list[Cell]]:
    parts = chop_cells(value, max(room - 1, 1)) or [""]
    if len(parts) > _LINES_PER_FACT_MAX:
        parts = [*parts[: _LINES_PER_FACT_MAX - 1], f"{parts[_LINES_PER_FACT_MAX - 1][:-1]}…"]
    blank = " " * cell_len(name)
    return [[(name if at == 0 else blank, "dim"), (part, style)] for at, part in enumerate(parts)]


class Facts(Widget):
    """A few lines of facts, painted again only where they differ."""

    DEFAULT_CSS = """
    Facts { height: auto; max-height: 45%; background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- as in Textual
        super().__init__(id=id)
        self._facts: tuple[Fact, ...] = ()
        self._stale = False
        self._laid_out: tuple[int, list[list[Cell]]] = (-1, [])

    def show(self, facts: Sequence[Fact], *, stale: bool = False) -> None:
        """Show these facts; dimmed where they may be old."""
        if (tuple(facts), stale) == (self._facts, self._stale):
            return
        self._stale = stale
        before = len(self._lines(self.size.width))
        self._facts = tuple(facts)
        self._laid_out = (-1, [])
        self.refresh(layout=len(self._lines(self.size.width)) != before)

    @property
    def text(self) -> str:
        """What is shown, without styles."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines the facts take."""
        del container, viewport
        return len(self._lines(width))

    def on_mount(self) -> None:
        """Repaint when the theme changes."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.refresh())

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        styles = styles_for(self.app.theme, stale=self._stale)
        width = self.size.width
        lines = self._lines(width)
        line = LineBuilder()
        for text, style in lines[y] if y < len(lines) else ():
            line.add(text, styles[style], cell_len(text))
        if line.width < width:
            line.add(" " * (width - line.width), styles["text"], width - line.width)
        return Strip(line.segments(styles["text"]), line.width).crop(0, width)

    def _lines(self, width: int) -> list[list[Cell]]:
        if self._laid_out[0] != width:
            self._laid_out = (width, fact_lines(self._facts, width))
        return self._laid_out[1]
