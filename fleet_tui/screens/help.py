"""Help: the keys of the view that was seen, the commands, the views, the filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from fleet_tui.screens.text_screen import TextScreen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textual.binding import Binding

    from fleet_tui.locations import Location
    from fleet_tui.table.source import Cell

_KEY_CELLS: Final = 18
FILTERS: Final = (
    ("berlin", "the word stands in id, labels, version or reason"),
    ("site=berlin status!=online", "both; a blank means and"),
    ("age>10m or version~1.4", "~ contains, !~ does not; < <= > >= on age, restarts, rtt"),
    ("deploy:web=failed", "how a deployment stands: ok, pending, failed, none"),
    ("cause~exit", "the worst reason"),
    ("not (ring=1 or hw=pi5)", "brackets; quotes where a value holds a blank"),
)


class HelpScreen(TextScreen):
    """What can be typed, made from what is really bound."""

    view_name = "help"

    def __init__(self) -> None:
        super().__init__()
        self._seen: tuple[str, list[Binding]] = ("", [])

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the help of whatever is seen."""
        del location
        return cls()

    def on_mount(self) -> None:
        """Write the help of the view beneath."""
        beneath = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else self
        name = getattr(beneath, "view_name", "")
        found: dict[str, Binding] = {}
        for active in beneath.active_bindings.values():
            if active.enabled:
                found.setdefault(active.binding.id or active.binding.action, active.binding)
        self._seen = (name, list(found.values()))
        self.text.set_lines(self.help_lines())
        super().on_mount()
        self.focus_body()

    def help_lines(self) -> list[Cell]:
        """Return all of it."""
        return list(self._lines())

    def _lines(self) -> Iterator[Cell]:
        from fleet_tui.commands import COMMANDS  # noqa: PLC0415 - it imports the views
        from fleet_tui.views import VIEWS  # noqa: PLC0415 - as above

        name, bindings = self._seen
        groups: dict[str, list[tuple[str, str]]] = {}
        for binding in bindings:
            if not binding.description:
                continue
            room = (binding.id or "app").partition(".")[0]
            key = self._keys_of(binding, bindings)
            groups.setdefault(room, []).append((key, binding.description))
        for room in sorted(groups, key=lambda room: (room == "app", room)):
            yield from _section(f"keys · {room}" if room != "app" else "keys everywhere")
            yield from _pairs(dict.fromkeys(groups[room]))
        yield from _section(f"commands, after : (this view: {name})")
        yield from _pairs((command.usage, command.help) for command in COMMANDS)
        yield from _section("views, after : (with a filter: devices /site=berlin)")
        yield from _pairs((f"{kind.name} {kind.argument}".strip(), kind.help) for kind in VIEWS)
        yield from _section("filters, after / (the same in `fleet get devices FILTER`)")
        yield from _pairs(FILTERS)

    def _keys_of(self, binding: Binding, bindings: list[Binding]) -> str:
        keys = dict.fromkeys(
            self.app.get_key_display(each) for each in self._all_keys(binding, bindings)
        )
        return " ".join(keys)

    def _all_keys(self, binding: Binding, bindings: list[Binding]) -> list[Binding]:
        beneath = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else self
        same = [
            active.binding
            for active in beneath.active_bindings.values()
            if active.binding.action == binding.action
        ]
        return same or [each for each in bindings if each is binding]


def _section(title: str) -> Iterator[Cell]:
    yield ("", "text")
    yield (f" {title}", "title")


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[Cell]:
    for left, right in pairs:
        wide = max(_KEY_CELLS, 36 if len(left) > _KEY_CELLS else 0)
        yield (f"   {left:<{wide}} {right}", "text")
