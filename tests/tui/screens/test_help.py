"""The help: the keys that are bound, as they are remapped, and all that can be typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fleet_core.view import parse_filter
from fleet_core.view.filter_terms import FIELDS
from fleet_tui.commands import COMMANDS
from fleet_tui.options import Options
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.help import HelpScreen
from fleet_tui.sources.help_text import FILTER_EXAMPLES, Section, help_lines
from fleet_tui.views import VIEWS
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.screen_text import screen_text
from tests.view.fleets import FedView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp


def small_fleet() -> FedView:
    fed = FedView()
    fed.info("berlin-1", site="berlin")
    fed.beat("berlin-1")
    fed.synced()
    return fed


async def opened(app: FleetApp, pilot: Pilot[object]) -> HelpScreen:
    await eventually(lambda: isinstance(app.screen, DevicesScreen))
    await pilot.pause()
    await pilot.press("question_mark")
    await eventually(lambda: isinstance(app.screen, HelpScreen))
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, HelpScreen)
    return screen


def text_of(screen: HelpScreen) -> str:
    return "\n".join(text for text, _ in screen.text.lines)


async def test_every_key_in_force_beneath_is_told_with_what_it_does() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(100, 30)) as pilot:
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await pilot.pause()
        active = [each for each in app.screen.active_bindings.values() if each.enabled]
        shown = text_of(await opened(app, pilot))
        for each in active:
            if each.binding.description:
                key = re.escape(app.get_key_display(each.binding))
                words = re.escape(each.binding.description)
                assert re.search(rf"(?m)(^|\s){key}(\s.*)? {words}\s*$", shown), each.binding


async def test_keys_are_grouped_by_where_they_hold() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(100, 30)) as pilot:
        shown = text_of(await opened(app, pilot))
        groups = re.findall(r"(?m)^ (\S.*)$", shown)
        assert groups[:3] == ["Keys in devices", "Keys in the table or text", "Keys everywhere"]
        assert re.search(r"(?m)^ +j ↓ +Down$", shown), "keys of one action share a line"


async def test_remapped_keys_are_shown_as_remapped() -> None:
    options = Options(keys={"device.ping": "z", "table.down": ["n", "f5"], "app.help": "f1"})
    app = steady_app(small_fleet(), options=options)
    async with app.run_test(size=(100, 30)) as pilot:
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await pilot.pause()
        await pilot.press("f1")
        await eventually(lambda: isinstance(app.screen, HelpScreen))
        screen = app.screen
        assert isinstance(screen, HelpScreen)
        shown = text_of(screen)
        assert re.search(r"(?m)^ +z +Ping$", shown)
        assert re.search(r"(?m)^ +n f5 +Down$", shown)
        await pilot.press("f1")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_all_views_commands_and_fields_are_told() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(100, 30)) as pilot:
        shown = text_of(await opened(app, pilot))
        for kind in VIEWS:
            assert f" {kind.name}" in shown
            assert kind.help in shown
        for command in COMMANDS:
            assert command.usage in shown
        for field in FIELDS:
            assert re.search(rf"(?m)^ +{field} +\w", shown)


@pytest.mark.parametrize("example", [left for left, _ in FILTER_EXAMPLES])
def test_every_example_is_a_filter(example: str) -> None:
    assert parse_filter(example).term is not None


async def test_it_scrolls_and_closes_by_the_keys_that_open_and_leave() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("G")
        await pilot.pause()
        assert "deploy:NAME" in screen_text(app)
        assert screen.text.scroll_offset.y > 0
        await pilot.press("g", "pagedown", "k")
        await pilot.pause()
        assert screen.text.scroll_offset.y > 0
        await pilot.press("question_mark")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await opened(app, pilot)
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_it_can_be_searched() -> None:
    app = steady_app(small_fleet())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("slash", *"restarts of all", "enter")
        await eventually(lambda: "restarts of all containers" in screen_text(app))


def test_one_column_where_it_is_narrow_and_two_where_it_is_wide() -> None:
    sections = [Section("A", (("a", "first"),)), Section("B", (("b", "second"),))]
    narrow = ["".join(text for text, _ in line).rstrip() for line in help_lines(sections, 80)]
    wide = ["".join(text for text, _ in line).rstrip() for line in help_lines(sections, 160)]
    assert narrow == [" A", "   a  first", "", " B", "   b  second", ""]
    assert [line.split() for line in wide] == [["A", "B"], ["a", "first", "b", "second"], []]


@pytest.mark.parametrize("width", [30, 80, 143, 144, 200, 500])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    sections = [
        Section("keys", tuple((f"key-{n}" * 9, "what it does " * 9) for n in range(20))),
        Section("more", (("a", "b"),)),
    ]
    assert all(sum(len(t) for t, _ in line) <= width for line in help_lines(sections, width))


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    # How it looks does not depend on how many views and commands there are by now.
    typed = (
        Section("Views, after :", (("devices", "all devices"), ("job NUMBER", "its results"))),
        Section("Filters, after /", FILTER_EXAMPLES),
    )
    monkeypatch.setattr("fleet_tui.screens.help.typed_sections", lambda: typed)
    app = steady_app(small_fleet())

    async def open_help(pilot: Pilot[object]) -> None:
        await opened(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=open_help)
