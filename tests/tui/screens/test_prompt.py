"""The line where commands and filters are typed: completion, recall, and what is wrong beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_tui.options import Options
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.widgets.prompt import PromptInput
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.fleet_sample import sample_fleet
from tests.tui.screens.screen_text import screen_lines

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

SIZE = (120, 24)


async def opened(app: FleetApp, pilot: Pilot[object]) -> None:
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    await pilot.pause()


def typed(app: FleetApp) -> str:
    return app.screen.query_one(PromptInput).value


def below(app: FleetApp) -> list[str]:
    """The line that is typed into, and the one beneath it."""
    return screen_lines(app)[-3:-1]


async def test_tab_completes_a_command_and_goes_round() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"dep")
        assert "deployments" in below(app)[1]
        await pilot.press("tab")
        assert typed(app).strip() == "deployments"
        await pilot.press("backspace", *["backspace"] * 20, *"de", "tab", "tab")
        second = typed(app)
        await pilot.press("shift+tab")
        first = typed(app)
        assert first != second
        assert first.startswith("de")


async def test_devices_are_completed_by_the_start_of_their_name() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"ping paris-van-00", "tab")
        assert typed(app) == "ping paris-van-000"


async def test_a_filter_completes_labels_and_values() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("slash", *"si", "tab")
        assert typed(app) == "site"
        await pilot.press("equals_sign", "b", "tab")
        assert typed(app) == "site=berlin"


async def test_up_recalls_and_down_gives_the_draft_back(tmp_path: Path) -> None:
    app = steady_app(sample_fleet(), options=Options(state_directory=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"sort seen", "enter", "colon", *"sort rtt", "enter")
        await pilot.press("colon", "x", "up")
        assert typed(app) == "sort rtt"
        await pilot.press("up")
        assert typed(app) == "sort seen"
        await pilot.press("down", "down")
        assert typed(app) == "x"
    assert (tmp_path / "commands").read_text().splitlines() == ["sort seen", "sort rtt"]


async def test_commands_and_filters_are_remembered_apart() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"sort seen", "enter", "slash", "up")
        assert typed(app) == ""


@pytest.mark.parametrize(
    ("wrong", "place", "told"),
    [
        ("ring=1=", 6, "'=' makes no sense here"),
        ("ring=1)", 6, "a ')' too many"),
        ("(ring=1", 7, "a '(' is not closed"),
        ("site=", 5, "site= has no value"),
        ("age>blue", 4, "fits no age"),
    ],
)
async def test_a_caret_stands_under_what_is_wrong(wrong: str, place: int, told: str) -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("slash", *wrong)
        await pilot.pause()
        line, beneath = below(app)
        assert line == f"/ {wrong}"
        assert beneath.index("^") == place + 2
        assert told in beneath


async def test_a_wrong_filter_is_not_accepted_and_the_line_stays_open() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("slash", *"ring=", "enter")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, DevicesScreen)
        assert screen.prompt.is_open
        await pilot.press("1", "enter")
        await pilot.pause()
        assert screen.filter_text() == "ring=1"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "there is no command 'nonsense'"),
        ("sort nonsense", "cannot sort by 'nonsense'"),
        ("sort seen up", "expected asc or desc"),
        ("devices /site=", "site= has no value"),
        ("apply /no/such/file.yaml", "cannot read /no/such/file.yaml"),
        ("devices-of", "expected a deployment's name"),
        ("logs", "expected a device"),
    ],
)
async def test_a_wrong_command_is_told_in_a_sentence(line: str, told: str) -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *line, "enter")
        await pilot.pause()
        assert told in screen_lines(app)[-1]
        assert isinstance(app.screen, DevicesScreen)


async def test_a_session_for_others_reads_no_files() -> None:
    app = steady_app(sample_fleet(), options=Options(restricted=True))
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"apply ", "tab")
        assert typed(app) == "apply "
        await pilot.press(*"x.yaml", "enter")
        await pilot.pause()
        assert "this session reads no files" in screen_lines(app)[-1]


async def test_what_is_typed_ahead_goes_where_it_was_meant() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        for key in ("slash", *"berlin", "enter", "j", "j", "space"):
            app.simulate_key(key)
        await eventually(lambda: "1 marked" in screen_lines(app)[1])
        screen = app.screen
        assert isinstance(screen, DevicesScreen)
        assert screen.filter_text() == "berlin"
        assert screen.table.marked_keys == {"berlin-kiosk-005"}


async def test_quit_leaves() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", "q", "enter")
        await eventually(lambda: not app.is_running)
    assert app.return_code == 0
