"""Help: the keys of the view that was seen, what can be typed there, and the filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from fleet_tui.screens.text_screen import TextScreen
from fleet_tui.sources.help_text import Section, help_lines, typed_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.binding import ActiveBinding

    from fleet_tui.table.source import Cell


class HelpScreen(TextScreen):
    """What can be pressed and typed, made from what is bound and registered, as it is remapped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The key that opens the help closes it too; the id keeps the two together when remapped.
        Binding("question_mark", "app.back", "Close", key_display="?", show=False, id="app.help"),
    ]

    view_name = "help"

    def __init__(self) -> None:
        super().__init__()
        self._sections: tuple[Section, ...] = ()
        self._rows: dict[str, Sequence[Cell]] = {}

    def on_mount(self) -> None:
        """Write the help of the view beneath."""
        beneath = self.app.screen_stack[-2]
        self._sections = (*self._key_sections(beneath), *typed_sections())
        self.text.paint_row = self._paint_row
        self._lay_out()
        super().on_mount()
        self.focus_body()

    def on_resize(self) -> None:
        """Use the room there is."""
        if self._sections:
            self._lay_out()

    def _lay_out(self) -> None:
        lines = help_lines(self._sections, max(self.size.width - 1, 1))
        texts = ["".join(text for text, _ in line).rstrip() for line in lines]
        self._rows = dict(zip(texts, lines, strict=True))
        self.text.set_lines([(text, "text") for text in texts])

    def _paint_row(self, row: Cell) -> Sequence[Cell]:
        return self._rows.get(row[0], (row,))

    def _key_sections(self, beneath: Screen[object]) -> Iterator[Section]:
        """Return the keys that are in force there, nearest first."""
        name = getattr(beneath, "view_name", "") or "view"
        titles = {
            "focus": "Keys in the table or text",
            "screen": f"Keys in {name}",
            "app": "Keys everywhere",
        }
        found: dict[str, dict[str, tuple[list[str], str]]] = {where: {} for where in titles}
        for active in beneath.active_bindings.values():
            if active.enabled and active.binding.description:
                actions = found[_where(active)]
                keys, _ = actions.setdefault(
                    active.binding.action, ([], active.binding.description)
                )
                keys.append(self.app.get_key_display(active.binding))
        for where in ("screen", "focus", "app"):
            pairs = tuple((" ".join(keys), text) for keys, text in found[where].values())
            yield Section(titles[where], pairs)


def _where(active: ActiveBinding) -> str:
    if isinstance(active.node, App):
        return "app"
    return "screen" if isinstance(active.node, Screen) else "focus"
