"""A plan on the screen: what it says, and that nothing happens by accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Button

from fleet_core.operations.plans import Friction, Plan
from fleet_tui.dialogs.plan_dialog import PlanDialog
from fleet_tui.screens.devices import DevicesScreen
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.fleet_sample import sample_fleet
from tests.tui.screens.screen_text import screen_text

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

Compare = Callable[..., bool]
DIFF = (
    "--- default/web (stored)",
    "+++ default/web (new)",
    "@@ -1 +1 @@",
    "-image: 1",
    "+image: 2",
)


def plan(
    friction: Friction, confirmation: str, *, devices: int = 14, diff: tuple[str, ...] = DIFF
) -> Plan:
    names = tuple(f"berlin-kiosk-{number:03}" for number in range(devices))
    return Plan(
        operation="apply",
        title=f"change default/web on {devices} devices",
        targets=("default/web",),
        devices=names,
        offline=2,
        command="fleet apply -f web.yaml",
        friction=friction,
        confirmation=confirmation,
        diff=diff,
        warnings=("spec.score.data.servces is not known: a slip of the pen?",),
    )


async def shown(app: FleetApp, pilot: Pilot[object], shown_plan: Plan) -> list[bool | None]:
    """Show the dialog; the list gets what it returns."""
    answers: list[bool | None] = []
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    await pilot.pause()
    app.push_screen(PlanDialog(shown_plan), answers.append)
    await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
    await pilot.pause()
    return answers


async def test_it_says_whom_it_touches_what_changes_and_the_command() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(app, pilot, plan(Friction.TYPE_NUMBER, "14"))
        text = screen_text(app)
        for part in (
            "touches 14 devices, 2 of them offline",
            "berlin-kiosk-000",
            "and 6 more",
            "+image: 2",
            "$ fleet apply -f web.yaml",
            "! spec.score.data.servces",
            "Type 14 to go on",
        ):
            assert part in text


async def test_one_device_takes_a_y_and_enter_cancels() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=(120, 40)) as pilot:
        answers = await shown(app, pilot, plan(Friction.CONFIRM, "y", devices=1))
        await pilot.press("enter")
        await eventually(lambda: answers == [False])
        answers = await shown(app, pilot, plan(Friction.CONFIRM, "y", devices=1))
        await pilot.press("y")
        await eventually(lambda: answers == [True])


@pytest.mark.parametrize("wrong", ["y", "1", "140"])
async def test_many_devices_take_their_number_and_nothing_else(wrong: str) -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=(120, 40)) as pilot:
        answers = await shown(app, pilot, plan(Friction.TYPE_NUMBER, "14"))
        await pilot.press(*wrong, "enter")
        await pilot.pause()
        assert answers == []
        assert app.screen.query_one("#plan-go", Button).disabled
        await pilot.press(*["backspace"] * 3, "1", "4", "enter")
        await eventually(lambda: answers == [True])


async def test_escape_leaves_it() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=(120, 40)) as pilot:
        answers = await shown(app, pilot, plan(Friction.TYPE_NAME, "prod-eu"))
        await pilot.press("escape")
        await eventually(lambda: answers == [False])


async def test_a_long_diff_scrolls_and_leaves_the_buttons_in_sight() -> None:
    app = steady_app(sample_fleet())
    diff = tuple(f"+line {number}" for number in range(500))
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, plan(Friction.TYPE_NUMBER, "14", diff=diff))
        assert "Cancel" in screen_text(app)
        assert "$ fleet apply" in screen_text(app)
        assert "+line 0" in screen_text(app)
        await pilot.press(*["pagedown"] * 3)
        await pilot.pause()
        assert "+line 0\n" not in screen_text(app)
        assert "+line 31" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = steady_app(sample_fleet())

    async def settle(pilot: Pilot[object]) -> None:
        await shown(app, pilot, plan(Friction.TYPE_NUMBER, "14"))
        app.tick()  # The hints of the view behind it follow at the next beat.
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=settle)
