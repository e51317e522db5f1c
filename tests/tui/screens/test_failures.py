"""The failures view: causes, their devices, their last words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.states import Phase
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.screens.failures import FailuresScreen
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.deployments_sample import deployed_fleet, fail
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_core.operations.plans import Request
    from fleet_tui.app import FleetApp
    from tests.view.fleets import FedView

Compare = Callable[..., bool]
WIDE = (160, 30)


async def opened(app: FleetApp, pilot: Pilot[object]) -> FailuresScreen:
    await eventually(lambda: isinstance(app.screen, FailuresScreen) and app.screen.is_mounted)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, FailuresScreen)
    return screen


def keys(screen: FailuresScreen) -> list[str]:
    return [screen.rows.key(row) for row in screen.rows.rows]


async def test_failures_are_grouped_by_cause_most_devices_first() -> None:
    app = steady_app(deployed_fleet(), command="failures")
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        assert "2 causes · 4 devices" in screen_lines(app)[1]
        first = screen_lines(app)[3]
        assert "web / migrate (init)" in first
        assert "exited 3" in first
        assert "berlin 3" in first
        assert "<1m" in first


async def test_the_last_words_stand_beneath_and_are_inert() -> None:
    app = steady_app(deployed_fleet(), command="failures")
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await eventually(lambda: "Traceback (most recent call last):" in screen_text(app))
        assert "\x1b" not in screen_text(app)
        assert "no route to host" in screen_text(app)


async def test_enter_unfolds_a_group_and_opens_a_device() -> None:
    app = steady_app(deployed_fleet(), command="failures")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("enter")
        assert len(keys(screen)) == 5
        assert "berlin-kiosk-003" in screen_text(app)
        await pilot.press("j", "enter")
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.press("escape")
        await eventually(lambda: app.screen is screen)
        await pilot.press("k", "enter")
        assert len(keys(screen)) == 2


async def test_a_group_stays_open_and_under_the_cursor_when_devices_come() -> None:
    fed = deployed_fleet()
    app = steady_app(fed, command="failures")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("enter")
        group = screen.table.cursor_key
        fail(fed, "berlin-kiosk-039", 3)
        await eventually(lambda: len(keys(screen)) == 6)
        assert screen.table.cursor_key == group


async def test_a_filter_keeps_the_devices_that_match() -> None:
    app = steady_app(deployed_fleet(), command="failures /site=paris")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        assert "1 cause · 1 device" in screen_lines(app)[1]
        assert len(keys(screen)) == 1


async def test_a_key_is_meant_for_all_devices_of_the_group() -> None:
    app = steady_app(deployed_fleet(), command="failures")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        expected = {f"berlin-kiosk-{number:03}" for number in (3, 7, 11)}
        assert set(screen._devices()) == expected
        await pilot.press("enter", "j")
        assert len(screen._devices()) == 1


def two_failing_deployments() -> FedView:
    """The sample, and below its groups one of another deployment, with the fewest devices."""
    fed = deployed_fleet()
    fail(fed, "paris-van-052", 1)
    fed.state("paris-van-066", "edge-cache", phase=Phase.FAILED, reason="Error")
    return fed


async def test_marks_of_several_deployments_are_not_redeployed_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = steady_app(two_failing_deployments(), command="failures")
    started: list[Request] = []
    monkeypatch.setattr(app, "start", lambda _name, request: started.append(request))
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("g", "space", "G", "space", "r")
        await eventually(lambda: "marks of several deployments" in screen_text(app))
        assert started == []


async def test_a_redeploy_is_of_the_marked_deployment_wherever_the_cursor_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = steady_app(two_failing_deployments(), command="failures")
    started: list[Request] = []
    monkeypatch.setattr(app, "start", lambda _name, request: started.append(request))
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("g", "space", "G")
        under_cursor = screen.row_under_cursor
        assert under_cursor is not None
        assert under_cursor.group.deployment != "web"
        await pilot.press("r")
        expected = tuple(f"berlin-kiosk-{number:03}" for number in (3, 7, 11))
        assert [(each.deployment, each.devices) for each in started] == [("web", expected)]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = steady_app(deployed_fleet(), command="failures")

    async def settle(pilot: Pilot[object]) -> None:
        screen = await opened(app, pilot)
        await pilot.press("enter")
        await eventually(lambda: len(keys(screen)) == 5)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=settle)
