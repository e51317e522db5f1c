"""The devices view: keys, filter, sort, marks, faults, and how it looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fleet_tui.options import Options
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.screens.devices import DevicesScreen
from tests.support.steady_fleet import SteadyFleet, steady_app
from tests.support.waiting import eventually
from tests.tui.screens.fleet_sample import COUNT, sample_fleet
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

Compare = Callable[..., bool]
WIDE = (160, 40)
NARROW = (80, 24)


def devices_screen(app: FleetApp) -> DevicesScreen:
    screen = app.screen
    assert isinstance(screen, DevicesScreen)
    return screen


async def opened(app: FleetApp, pilot: Pilot[object]) -> DevicesScreen:
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    await pilot.pause()
    return devices_screen(app)


def hints(app: FleetApp) -> str:
    return screen_lines(app)[-1]


async def test_every_device_is_there_and_counted() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        assert len(screen.rows.rows) == COUNT
        header, title = screen_lines(app)[:2]
        assert "40 devices  ● 36 online  ◐ 3 stale  ○ 1 offline" in header
        assert title.endswith("40 devices   sort device↑")


async def test_the_header_keeps_the_link_and_the_counts_at_80_columns() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=NARROW) as pilot:
        await opened(app, pilot)
        header = screen_lines(app)[0]
        for part in ("● nats 3 ms", "● 36", "◐ 3", "○ 1", "✗ 6 failing"):
            assert part in header


async def test_help_and_the_way_back_are_the_last_hints_at_any_width() -> None:
    for size in (NARROW, WIDE):
        app = steady_app(sample_fleet())
        async with app.run_test(size=size) as pilot:
            await opened(app, pilot)
            assert hints(app).endswith("? help  esc back")


async def test_a_filter_acts_as_it_is_typed() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("slash", *"site=berlin")
        await pilot.pause()
        assert "20 of 40" in screen_lines(app)[1]
        await pilot.press("enter")
        assert screen.filter_text() == "site=berlin"
        assert not screen.prompt.is_open
        assert str(screen.location) == ":devices /site=berlin"


async def test_escape_puts_the_filter_back_that_was_in_force() -> None:
    app = steady_app(sample_fleet(), command="devices /ring=1")
    async with app.run_test(size=WIDE) as pilot:
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await eventually(lambda: devices_screen(app).filter_text() == "ring=1")
        await pilot.press("slash", *" site=paris")
        await pilot.pause()
        screen = devices_screen(app)
        assert screen.filter_text() == "ring=1 site=paris"
        await pilot.press("escape")
        await pilot.pause()
        assert screen.filter_text() == "ring=1"
        assert "10 of 40" in screen_lines(app)[1]


async def test_ctrl_c_in_a_filter_leaves_the_filter_not_the_program() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("slash", *"paris", "ctrl+c")
        await pilot.pause()
        assert app.is_running
        assert screen.filter_text() == ""
        assert len(screen.rows.rows) == COUNT


async def test_the_hints_are_those_of_the_table_as_soon_as_the_prompt_is_closed() -> None:
    app = steady_app(sample_fleet())
    app.tick = lambda: None  # type: ignore[method-assign]  # no tick may come to help
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("slash", "b")
        await pilot.pause()
        assert "tab complete" in hints(app)
        for key in ("escape", "enter"):
            await pilot.press("slash", key)
            await pilot.pause()
            assert "p ping" in hints(app)
            assert "tab complete" not in hints(app)


async def test_escape_undoes_marks_then_faults_then_the_filter() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("slash", *"site=berlin", "enter", "f", "space")
        await pilot.pause()
        assert "faults only" in screen_lines(app)[1]
        assert "1 marked" in screen_lines(app)[1]
        await pilot.press("escape")
        assert not screen.table.marked_keys
        await pilot.press("escape")
        assert not screen.rows.faults_only
        await pilot.press("escape")
        assert screen.filter_text() == ""


async def test_faults_only_keeps_what_fails_or_is_not_online() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("f")
        assert 0 < len(screen.rows.rows) < COUNT
        devices = app.view.devices
        assert all(devices.severity[s] == 2 or devices.health[s] for s in screen.rows.rows)


async def test_sorting_by_command_and_by_key() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("colon", *"sort restarts desc", "enter")
        await pilot.pause()
        restarts = [app.view.devices.restarts[row] for row in screen.rows.rows]
        assert restarts == sorted(restarts, reverse=True)
        await pilot.press("S")
        assert screen.rows.sort is not None
        assert screen.rows.sort.column == "seen"


async def test_the_cursor_stays_on_its_device_through_filter_and_sort() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("j", "j", "j")
        device = screen.table.cursor_key
        await pilot.press("colon", *"sort restarts desc", "enter")
        await pilot.press("slash", *"berlin", "enter")
        await pilot.pause()
        assert screen.table.cursor_key == device


async def test_enter_opens_the_device_and_escape_returns_to_the_same_place() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("slash", *"ring=1", "enter", "j", "j")
        device = screen.table.cursor_key
        await pilot.press("enter")
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.press("escape")
        await eventually(lambda: app.screen is screen)
        assert screen.table.cursor_key == device
        assert screen.filter_text() == "ring=1"


async def test_earlier_and_later_views() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"devices /ring=1", "enter")
        await pilot.pause()
        assert devices_screen(app).filter_text() == "ring=1"
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert devices_screen(app).filter_text() == ""
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert devices_screen(app).filter_text() == "ring=1"


async def test_a_digit_opens_the_view_saved_under_it() -> None:
    app = steady_app(sample_fleet(), options=Options(views={"2": ":devices /site=paris"}))
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("2")
        await pilot.pause()
        assert devices_screen(app).filter_text() == "site=paris"
        await pilot.press("3")  # nothing is saved there
        await pilot.pause()
        assert devices_screen(app).filter_text() == "site=paris"


async def test_stale_data_is_told_and_dims_the_rows() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        fleet = app.fleet
        assert isinstance(fleet, SteadyFleet)
        fleet.go_stale()
        app.tick()
        await pilot.pause()
        assert "data may be old: the link is gone" in screen_lines(app)[0]
        assert screen.table.stale


async def test_hostile_labels_and_versions_are_only_text() -> None:
    fed = sample_fleet()
    fed.info("evil", version="[red]9[/]\x1b[31m\u202e")
    app = steady_app(fed, command="devices /evil")
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await eventually(lambda: devices_screen(app).filter_text() == "evil")
        await pilot.pause()
        text = screen_text(app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[red]" in text


@pytest.mark.parametrize("size", [NARROW, (200, 50)])
def test_how_it_looks(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = steady_app(sample_fleet())
    assert snap_compare(app, terminal_size=size, press=["j", "space", "j"])


def test_how_it_looks_in_16_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "screen")
    monkeypatch.delenv("COLORTERM")
    app = steady_app(sample_fleet())
    assert snap_compare(app, terminal_size=NARROW, press=["j", "space", "j"])


def test_how_a_wrong_filter_looks(snap_compare: Compare) -> None:
    app = steady_app(sample_fleet())
    assert snap_compare(app, terminal_size=NARROW, press=["slash", *"ring=1="])
