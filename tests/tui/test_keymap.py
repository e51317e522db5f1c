"""People remap keys by ids; what is wrong with it is told, and changes nothing."""

from typing import ClassVar

import pytest
from textual.binding import Binding, BindingType
from textual.screen import Screen

from fleet_tui.keymap import bindings_of, resolve_keymap
from fleet_tui.table import VirtualTable
from fleet_tui.terminal.terminal_app import TerminalApp
from tests.tui.table.sample import SampleApp, SampleSource


class LogScreen(Screen[None]):
    """A screen where l shows logs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "logs", "Logs", id="device.logs")]


CHAINS = {
    "devices": [
        *bindings_of(TerminalApp),
        *bindings_of(LogScreen),
        *bindings_of(VirtualTable),
    ],
    "confirmation": [*bindings_of(TerminalApp), Binding("y", "yes", id="plan.confirm")],
}


def test_the_keys_that_come_with_the_table_do_not_clash() -> None:
    keys = [binding.key for binding in bindings_of(VirtualTable)]
    assert len(keys) == len(set(keys))
    assert all(binding.id for binding in bindings_of(VirtualTable))


@pytest.mark.parametrize(
    ("overrides", "keys"),
    [
        ({"table.down": "n"}, {"table.down": "n"}),
        ({"table.down": ["n", "down"]}, {"table.down": "n,down"}),
        ({"table": {"down": "n", "up": "e"}}, {"table.down": "n", "table.up": "e"}),
        ({"table.down": "k", "table.up": "j"}, {"table.down": "k", "table.up": "j"}),
        ({"table.mark": "?"}, {"table.mark": "question_mark"}),
        ({"table.mark": ","}, {"table.mark": "comma"}),
        ({"table.open": "ctrl+o"}, {"table.open": "ctrl+o"}),
        ({"plan.confirm": "j"}, {"plan.confirm": "j"}),
        ({"device.logs": "h"}, {"device.logs": "h"}),
        ({}, {}),
    ],
)
def test_what_is_sound_is_taken(overrides: dict[str, object], keys: dict[str, str]) -> None:
    keymap = resolve_keymap(CHAINS, overrides)
    assert keymap.keys == keys
    assert keymap.problems == ()


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"table.dwn": "n"}, "there is no binding 'table.dwn'; did you mean 'table.down'?"),
        ({"table.down": ""}, "table.down: '' is no key"),
        ({"table.down": "hyperspace"}, "table.down: 'hyperspace' is no key"),
        ({"table.down": "ctrl+"}, "table.down: 'ctrl+' is no key"),
        ({"table.down": "strg+d"}, "table.down: 'strg+d' is no key"),
        ({"table.down": 7}, "table.down: 7 is no key"),
        ({"table.down": []}, "table.down: expected at least one key"),
        ({"table.down": "k"}, "table.down: 'k' is taken by table.up in devices"),
        ({"table.down": "l"}, "table.down: 'l' is taken by device.logs in devices"),
        ({"table.down": "tab"}, "table.down: 'tab' is taken by app.focus_next in devices"),
        ({"plan.confirm": "ctrl+q"}, "plan.confirm: 'ctrl+q' is taken by quit in confirmation"),
    ],
)
def test_what_is_wrong_is_told_and_left_out(overrides: dict[str, object], problem: str) -> None:
    keymap = resolve_keymap(CHAINS, overrides)
    assert keymap.keys == {}
    assert len(keymap.problems) == 1
    assert problem in keymap.problems[0]


@pytest.mark.parametrize("key", ["alt+x", "ctrl+a", "shift+enter"])
def test_a_key_that_may_never_arrive_is_taken_with_a_warning(key: str) -> None:
    keymap = resolve_keymap(CHAINS, {"table.down": key})
    assert keymap.keys == {"table.down": key}
    assert "may never arrive" in keymap.problems[0]


async def test_a_remapped_key_works_and_the_old_one_does_not() -> None:
    source = SampleSource(10)
    app = SampleApp(source)
    app.set_keymap(dict(resolve_keymap(CHAINS, {"table.down": "n"}).keys))
    async with app.run_test() as pilot:
        await pilot.press("n")
        assert app.table.cursor_key == source.names[1]
        await pilot.press("j")
        assert app.table.cursor_key == source.names[1]
