"""The jobs views: a list with its progress, one job's results, and a job that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.operations.ping import Ping
from fleet_core.operations.plans import Friction, Plan, Request, TargetResult
from fleet_tui.dialogs.plan_dialog import PlanDialog
from fleet_tui.jobs import Job, JobState
from fleet_tui.screens.devices import DevicesScreen
from tests.support.steady_fleet import steady_app
from tests.support.waiting import eventually
from tests.tui.screens.fleet_sample import sample_fleet
from tests.tui.screens.screen_text import screen_lines, screen_text
from tests.view.fleets import NOW_S

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp

WIDE = (160, 30)
TARGETS = ("kiosk-1", "kiosk-2", "kiosk-3", "kiosk-4")


def done_job() -> Job:
    """A ping of four devices: two answer, one is offline, one was not reached."""
    plan = Plan("ping", "ping 4 devices", TARGETS, TARGETS, 1, "fleet ping kiosk-1")
    job = Job(1, Ping(), Request(devices=TARGETS), plan, NOW_S - 5, state=JobState.CANCELLED)
    for result in (
        TargetResult("kiosk-1", ok=True, message="1.3.2", rtt_ms=4.0),
        TargetResult("kiosk-2", ok=True, message="1.3.2", rtt_ms=20.0),
        TargetResult("kiosk-3", ok=False, message="nobody \x1b[31manswers", kind="offline"),
    ):
        job.results[result.target] = result
        job.failed += not result.ok
        job.changes += 1
    return job


async def started(app: FleetApp, pilot: Pilot[object]) -> None:
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    await pilot.pause()


async def test_the_list_tells_how_far_each_job_is() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        await started(app, pilot)
        app.jobs.all.append(done_job())
        app.go("jobs")
        await eventually(lambda: "ping 4 devices" in screen_text(app))
        row = next(line for line in screen_lines(app) if "ping 4 devices" in line)
        assert "cancelled" in row
        assert row.split()[-4:] == ["2", "1", "4", "<1m"]


async def test_a_job_shows_what_failed_first_and_how_fast_the_answers_came() -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        await started(app, pilot)
        app.jobs.all.append(done_job())
        app.go("job 1")
        await eventually(lambda: "not done" in screen_text(app))
        lines = screen_lines(app)
        assert "rtt 4.0 ms … 12 ms … 20 ms" in lines[1]
        found = [line.split()[-5:] for line in lines if "kiosk-" in line and "│" not in line]
        order = [word for line in found for word in line if word.startswith("kiosk-")]
        assert order == ["kiosk-3", "kiosk-1", "kiosk-2", "kiosk-4"]
        assert "\x1b" not in screen_text(app)


async def test_only_what_failed_or_was_not_reached_is_done_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = steady_app(sample_fleet())
    again: list[Request] = []
    monkeypatch.setattr(app, "start", lambda _name, request, **_: again.append(request))
    async with app.run_test(size=WIDE) as pilot:
        await started(app, pilot)
        app.jobs.all.append(done_job())
        app.go("job 1")
        await eventually(lambda: "not done" in screen_text(app))
        await pilot.press("R")
        assert [request.devices for request in again] == [("kiosk-3", "kiosk-4")]


@pytest.mark.parametrize("number", ["99", "9" * 5_000])
async def test_a_job_that_is_not_there_is_told_and_the_view_stays(number: str) -> None:
    app = steady_app(sample_fleet())
    async with app.run_test(size=WIDE) as pilot:
        await started(app, pilot)
        app.run_line(f"job {number}")
        await pilot.pause()
        assert isinstance(app.screen, DevicesScreen)
        await eventually(lambda: ":jobs lists them" in screen_text(app))


async def test_a_second_plan_waits_for_the_answer_to_the_first() -> None:
    app = steady_app(sample_fleet())
    plan = Plan("redeploy", "redeploy web", TARGETS, TARGETS, 0, "fleet redeploy web")
    asked = Plan("delete", "delete web", ("a/web",), TARGETS, 0, "fleet …", Friction.CONFIRM, "y")
    async with app.run_test(size=WIDE) as pilot:
        await started(app, pilot)
        app.push_screen(PlanDialog(plan))
        await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
        assert await app.confirmed(asked) is False
        assert [type(screen) for screen in app.screen_stack].count(PlanDialog) == 1
