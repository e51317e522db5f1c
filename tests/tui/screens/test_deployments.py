"""The deployments view: how far each is, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fleet_tui.screens.deployments import DeploymentsScreen
from fleet_tui.screens.devices import DevicesScreen
from tests.operator.fleets import deployment
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.deployments_sample import deployed_fleet, put_deployment
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

Compare = Callable[..., bool]
WIDE = (160, 30)


async def opened(app: FleetApp, pilot: Pilot[object]) -> DeploymentsScreen:
    await eventually(lambda: isinstance(app.screen, DeploymentsScreen) and app.screen.is_mounted)
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, DeploymentsScreen)
    return screen


async def test_each_deployment_tells_how_far_it_is() -> None:
    app = steady_app(deployed_fleet(), command="deployments")
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        lines = {line.split()[0].strip("▸ "): line for line in screen_lines(app)[3:6]}
        web = next(line for line in screen_lines(app) if " web " in line)
        assert "█" in web
        assert "!" in web
        assert "2*" in web  # the operator has acted on generation 1 only
        assert "site=berlin" in web
        assert "berlin-kiosk-003: exit 3" in web
        assert any("edge/cache" in line for line in screen_lines(app))
        assert len(lines) == 3


async def test_faults_only_and_a_filter_by_name() -> None:
    app = steady_app(deployed_fleet(), command="deployments")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("f")
        assert [screen.rows.key(row) for row in screen.rows.rows] == ["default/web"]
        await pilot.press("f", "slash", *"cache", "enter")
        assert [screen.rows.key(row) for row in screen.rows.rows] == ["edge/cache"]
        await pilot.press("escape")
        assert len(screen.rows.rows) == 3


async def test_the_counts_follow_the_operator() -> None:
    fed = deployed_fleet()
    app = steady_app(fed, command="deployments")
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        put_deployment(fed, deployment("metrics"), succeeded=38, failed=2)
        await eventually(lambda: " 38 " in screen_text(app))


async def test_enter_shows_the_devices_that_should_run_it() -> None:
    app = steady_app(deployed_fleet(), command="deployments")
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(app, pilot)
        assert screen.table.set_cursor("default/web")
        await pilot.press("enter")
        await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
        await pilot.pause()
        assert "deploy:web!=none" in screen_lines(app)[1]


async def test_read_only_refuses_to_delete_and_says_why() -> None:
    app = steady_app(deployed_fleet(), command="deployments", read_only=True)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+d")
        await eventually(lambda: "read-only" in screen_lines(app)[-1])
        assert isinstance(app.screen, DeploymentsScreen)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = steady_app(deployed_fleet(), command="deployments")

    async def settle(pilot: Pilot[object]) -> None:
        await opened(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=settle)
