"""The device view: what it tells of a device, that it lives, and its keys."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import encode
from fleet_core.contracts.commands import PingReply, Verb
from fleet_core.contracts.states import ContainerState, ContainerStatus, TerminatedState
from fleet_core.messaging import CommandServer
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.sources.container_words import container_words
from fleet_tui.widgets.facts import Fact, Facts, fact_lines
from tests.support.steady_fleet import SteadyFleet, steady_app
from tests.support.stored_fleet import StoredOpener, StoredView, stored_app
from tests.support.waiting import eventually
from tests.tui.screens.device_samples import (
    DEVICE,
    device_info,
    ended,
    failing_web,
    healthy,
    running,
    stored_device,
    tell,
    waiting,
    wanted,
)
from tests.tui.screens.screen_text import screen_lines
from tests.view.fleets import NOW_S

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from fleet_core.messaging import Message
    from fleet_tui.app import FleetApp
    from tests.support.nats_server import NatsServer

Compare = Callable[..., bool]
COMMAND = f"device {DEVICE}"


def device_screen(app: FleetApp) -> DeviceScreen:
    screen = app.screen
    assert isinstance(screen, DeviceScreen)
    return screen


async def opened(app: FleetApp, pilot: Pilot[object]) -> DeviceScreen:
    """Return the view once it has read what the read model does not keep."""
    await eventually(lambda: isinstance(app.screen, DeviceScreen))
    screen = device_screen(app)
    await eventually(lambda: screen.found is not None)
    await pilot.pause()
    return screen


def line_with(app: FleetApp, text: str) -> str:
    return next((line for line in screen_lines(app) if text in line), "")


async def test_every_container_is_told_in_kubernetes_words(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot)
        assert re.search(r"web +Init:CrashLoopBackOff +7 +4m", line_with(app, "Init:Crash"))
        assert re.search(r"fetch +Completed, exit 0 +6m +6m +init 1/2", line_with(app, "fetch"))
        migrate = line_with(app, "init 2/2")
        assert re.search(r"migrate +CrashLoopBackOff +7 .*before: Error, exit 3", migrate)
        assert "PodInitializing" in line_with(app, "shop/web:1.4") or any(
            "PodInitializing" in line for line in screen_lines(app)
        )
        assert re.search(r"main +Running +2h", line_with(app, "shop/metrics:2"))


async def test_what_runs_is_told_against_what_is_wanted(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot)
        assert "runs generation 7, wanted 8" in line_with(app, "catalogue")
        assert "generation 2, as wanted" in line_with(app, "metrics")


async def test_the_failure_shows_its_error_and_the_end_of_its_log(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        shown = "\n".join(screen_lines(app))
        assert "error: migrate exited 3" in shown
        assert "init container migrate: Error, exit code 3" in shown
        assert "| psycopg.OperationalError: could not translate host name" in shown


async def test_facts_and_the_age_of_the_evidence(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot)
        shown = "\n".join(screen_lines(app))
        for fact in (
            "● online, 12s ago, every 30s",
            "1.3.2",
            "5f2c1d7e-boot",
            "Debian GNU/Linux 12",
            "aarch64, 4 cpus",
            "8.0 GiB",
            "hw=pi5  ring=2  site=berlin",
        ):
            assert fact in shown, fact


async def test_it_reads_again_when_the_device_changes(nats_server: NatsServer) -> None:
    fed = stored_device()
    app = stored_app(fed, nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        screen = await opened(app, pilot)
        opener = app._opener
        assert isinstance(opener, StoredOpener)
        tell(fed, healthy("web", generation=8))
        await opener.store()
        # The read model orders states by their time, the sample's are all older than this one.
        later = healthy("web", generation=8).model_copy(
            update={"last_event_at": failing_web().last_event_at}
        )
        tell(fed, later)
        await opener.store()
        await eventually(
            lambda: screen.found is not None and screen.found.states["web"].failure is None
        )
        await eventually(lambda: "shop/web:2" in "\n".join(screen_lines(app)))
        assert "Init:CrashLoopBackOff" not in "\n".join(screen_lines(app))


async def test_events_of_this_device_stand_beneath(nats_server: NatsServer) -> None:
    fed = stored_device()
    app = stored_app(fed, nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot)
        fed.beat("other-device", NOW_S)
        recovered = healthy("web", generation=8).model_copy(
            update={"last_event_at": failing_web().last_event_at}
        )
        tell(fed, recovered)
        app.tick()
        await pilot.pause()
        lines = screen_lines(app)
        heading = next(at for at, line in enumerate(lines) if line.strip() == "events")
        assert re.search(r"web +Running", lines[heading + 1])
        assert "other-device" not in "\n".join(lines)


async def test_an_unknown_device_is_said_to_be_unknown() -> None:
    app = steady_app(StoredView(), command="device nowhere")
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.pause()
        assert "nothing is known of nowhere" in "\n".join(screen_lines(app))
        await pilot.press("l", "r", "j", "G")
        assert isinstance(app.screen, DeviceScreen)


async def test_no_device_id_opens_nothing() -> None:
    app = steady_app(StoredView(), command="device Not.An.Id")
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: "expected a device's id" in "\n".join(screen_lines(app)))
        await pilot.pause()
        assert not isinstance(app.screen, DeviceScreen)


async def test_without_a_link_it_shows_what_is_known_and_says_what_is_missing() -> None:
    app = steady_app(stored_device(), command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await eventually(lambda: "NOT READ" in "\n".join(screen_lines(app)))
        await pilot.pause()
        # What fails is kept by the read model, so its containers are there all the same.
        assert "init 2/2" in line_with(app, "migrate")


async def test_keys_are_meant_for_what_the_cursor_is_on(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        assert screen.row_under_cursor is not None
        assert screen.row_under_cursor.deployment == "web"
        await pilot.press("j", "j")
        row = screen.row_under_cursor
        assert row is not None
        assert (row.deployment, row.container) == ("web", "migrate")
        await pilot.press("l")
        await eventually(lambda: app.screen is not screen)
        assert getattr(app.screen, "location").argument == f"{DEVICE} web migrate"  # noqa: B009 -- any view
        await pilot.press("escape")
        await eventually(lambda: app.screen is screen)
        await pilot.press("G")
        row = screen.row_under_cursor
        assert row is not None
        assert row.deployment == "metrics"
        await pilot.press("y")
        await eventually(lambda: app.screen is not screen)
        assert str(getattr(app.screen, "location")) == f":yaml device {DEVICE}"  # noqa: B009 -- any view


async def test_redeploy_plans_for_the_deployment_under_the_cursor(nats_server: NatsServer) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, pilot)
        await pilot.press("r")
        await eventually(lambda: app.screen.is_modal)
        await pilot.pause()
        assert f"redeploy web {DEVICE}" in "\n".join(screen_lines(app))
        await pilot.press("escape")


HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]x[/]\u202e\u6f22" + "a\u0301" * 40


async def test_hostile_text_stays_text(nats_server: NatsServer) -> None:
    fed = stored_device()
    info = device_info(site="berlin").model_copy(update={"agent_version": "\x1b[31m9[/red]"})
    fed.put("device-info", f"info.{DEVICE}", encode(info))
    tell(fed, failing_web(log=f"{HOSTILE}\n{HOSTILE}\n", error=HOSTILE))
    app = stored_app(fed, nats_server.url, command=COMMAND)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, pilot)
        shown = "\n".join(screen_lines(app))
        assert "[bold red]x[/]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert all(strip.cell_length == 100 for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_how_it_looks(
    snap_compare: Compare, nats_server: NatsServer, size: tuple[int, int]
) -> None:
    app = stored_app(stored_device(), nats_server.url, command=COMMAND)

    async def settle(pilot: Pilot[object]) -> None:
        await opened(app, pilot)
        await eventually(lambda: line_with(app, "migrate"))

    assert snap_compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize(
    ("state", "words", "style"),
    [
        (running(ago_s=1), "Running, not ready", "pending"),
        (ended(0, ago_s=1), "Completed, exit 0", "ok"),
        (ended(3, ago_s=1), "Error, exit 3", "failed"),
        (waiting("ImagePullBackOff"), "ImagePullBackOff", "failed"),
        (waiting("PodInitializing"), "PodInitializing", "pending"),
        (ContainerState(), "Waiting", "pending"),
        (
            ContainerState(terminated=TerminatedState(exit_code=137, signal=9, reason="OOMKilled")),
            "OOMKilled, exit 137, signal 9",
            "failed",
        ),
    ],
)
def test_words_of_a_container(state: ContainerState, words: str, style: str) -> None:
    assert container_words(ContainerStatus(name="web", state=state)) == (words, style)


def test_facts_flow_into_the_columns_there_is_room_for() -> None:
    facts = [Fact("ONE", "1"), Fact("TWO", "2"), Fact("THREE", "3")]
    narrow = ["".join(text for text, _ in line).rstrip() for line in fact_lines(facts, 40)]
    wide = ["".join(text for text, _ in line).rstrip() for line in fact_lines(facts, 120)]
    assert narrow == [" ONE   1", " TWO   2", " THREE 3"]
    assert len(wide) == 1


def test_a_fact_takes_as_many_columns_as_it_needs() -> None:
    facts = [Fact("BOOT", "5f2c1d7e-" * 4), Fact("OS", "Debian"), Fact("ARCH", "aarch64")]
    lines = ["".join(text for text, _ in line).rstrip() for line in fact_lines(facts, 120)]
    assert len(lines) == 2
    assert lines[0].split() == ["BOOT", "5f2c1d7e-" * 4, "OS", "Debian"]


def test_a_long_fact_is_wrapped_and_bounded() -> None:
    lines = fact_lines([Fact("LABELS", "x" * 1_000, wide=True)], 50)
    assert len(lines) == 4
    assert "".join(text for text, _ in lines[-1]).endswith("…")


async def test_a_ping_is_told_and_kept(nats_server: NatsServer) -> None:
    async def answer(_payload: bytes, _message: Message) -> bytes:
        return encode(PingReply(device_id=DEVICE, agent_version="1.3.2", uptime_s=60))

    app = stored_app(stored_device(), nats_server.url, command=COMMAND)
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot)
        opener = app._opener
        assert isinstance(opener, StoredOpener)
        server = CommandServer(opener.fleet.connection, DEVICE)
        server.handle(Verb.PING, answer)
        serving = asyncio.create_task(server.run())
        assert re.search("RTT +–", line_with(app, "RTT"))  # noqa: RUF001 -- the dash of what is unknown
        await pilot.press("p")
        await eventually(lambda: f"ping {DEVICE}: agent 1.3.2" in "\n".join(screen_lines(app)))
        await eventually(lambda: re.search(r"RTT +\d+(\.\d)? ms", line_with(app, "RTT")))
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_old_facts_are_dimmed() -> None:
    app = steady_app(stored_device(), command=COMMAND)
    async with app.run_test(size=(100, 30)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.pause()

        def styles() -> list[str]:
            return [str(segment.style) for segment in app.screen.query_one(Facts).render_line(0)]

        bright = styles()
        fleet = app.fleet
        assert isinstance(fleet, SteadyFleet)
        fleet.go_stale()
        app.tick()
        assert styles() != bright


@pytest.mark.parametrize("size", [(80, 24), (120, 35)])
async def test_the_last_line_of_a_long_log_is_in_sight(size: tuple[int, int]) -> None:
    fed = stored_device()
    log = "".join(f"line {number} {'x' * 90}\n" for number in range(18)) + "the last words"
    tell(fed, failing_web(log=log))
    app = steady_app(fed, command=COMMAND)
    async with app.run_test(size=size) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.pause()
        await eventually(lambda: line_with(app, "| the last words"))
        assert line_with(app, "migrate"), "the table keeps its place"


async def test_what_a_lost_device_said_last_is_told_as_such() -> None:
    fed = stored_device()
    fed.beat(DEVICE, NOW_S - 12)
    app = steady_app(fed, command=COMMAND)
    async with app.run_test(size=(120, 35)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.pause()
        assert not device_screen(app).table.stale
        app.clock = lambda: NOW_S + 3_600
        app.tick()
        await pilot.pause()
        assert "deployments ?/3, as last told" in line_with(app, f"device {DEVICE}")
        assert "○ offline, 1h ago" in line_with(app, "HEALTH")
        assert device_screen(app).table.stale


async def test_what_is_refused_of_it_is_told(nats_server: NatsServer) -> None:
    fed = stored_device()
    fed.put("device-info", f"info.{DEVICE}", b'{"device_id": 7}')
    app = stored_app(fed, nats_server.url, command=COMMAND)
    async with app.run_test(size=(120, 35)) as pilot:
        await opened(app, pilot)
        await eventually(lambda: "REFUSED" in "\n".join(screen_lines(app)))
        assert f"device-info info.{DEVICE}" in line_with(app, "REFUSED")


async def test_a_deployment_that_is_wanted_no_more_is_told_as_such() -> None:
    fed = stored_device()
    fed.put("device-manifest", DEVICE, encode(wanted(web=8)))
    app = steady_app(fed, command=COMMAND)
    async with app.run_test(size=(120, 35)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.pause()
        assert "not wanted any more" in line_with(app, "metrics")
        fed.drop("device-manifest", DEVICE)
        app.tick()
        await pilot.pause()
        assert "nothing was ordered yet" in line_with(app, "metrics")


async def test_heartbeats_are_drawn_as_they_come_and_as_they_do_not() -> None:
    fed = stored_device()
    app = steady_app(fed, command=COMMAND)
    steps_s = [NOW_S + 10 * step for step in range(13)]
    async with app.run_test(size=(120, 35)) as pilot:
        await eventually(lambda: isinstance(app.screen, DeviceScreen))
        for now_s in steps_s:
            app.clock = partial(float, now_s)
            if now_s in {steps_s[2], steps_s[12]}:
                fed.beat(DEVICE, now_s)
            app.tick()
        await pilot.pause()
        assert re.search("BEATS +▮▮··▮", line_with(app, "BEATS"))
