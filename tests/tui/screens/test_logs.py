"""The logs view: choosing, following, merging, searching, pausing, saving, and what goes wrong."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from textual.widgets import OptionList

from fleet_core.contracts.base import encode
from fleet_core.contracts.containers import InitContainer, Service
from fleet_core.contracts.resources import Deployment, DeploymentSpec, Metadata
from fleet_core.contracts.scores import PodmanV0, Score
from fleet_core.contracts.selectors import LabelSelector
from fleet_tui.dialogs.choose_dialog import ChooseDialog
from fleet_tui.options import Options
from fleet_tui.screens import logs
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.logs import LogsScreen
from tests.support.log_device import LogDevice, stamped
from tests.support.stored_fleet import StoredView, stored_app
from tests.support.waiting import eventually
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest
    from textual.pilot import Pilot

    from fleet_tui.app import FleetApp
    from tests.support.nats_server import NatsServer

SIZE = (120, 24)
Opened = tuple["FleetApp", "Pilot[object]", dict[str, LogDevice]]


def fleet(*deployments: str) -> StoredView:
    """Return two devices with deployments of an init container and two services each."""
    fed = StoredView()
    for name in deployments:
        score = PodmanV0(
            init_containers=[InitContainer(name="migrate", image="web:1")],
            services=[Service(name="web", image="web:1"), Service(name="side", image="side:1")],
        )
        spec = DeploymentSpec(
            target_selector=LabelSelector(), score=Score(type="PodmanV0", data=score)
        )
        resource = Deployment(metadata=Metadata(name=name, generation=1), spec=spec)
        fed.put("deployments", f"default.{name}", encode(resource))
    for device in ("van-1", "van-2"):
        fed.info(device, site="berlin")
        fed.beat(device)
        fed.manifest(device, *deployments)
    fed.synced()
    return fed


@asynccontextmanager
async def opened(
    server: NatsServer,
    command: str,
    *devices: str,
    fed: StoredView | None = None,
    options: Options | None = None,
) -> AsyncIterator[Opened]:
    """Run the app with a command, and devices that answer for their logs."""
    app = stored_app(fed or fleet("shop"), server.url, command=command, options=options)
    async with AsyncExitStack() as stack:
        answering = {
            device: await stack.enter_async_context(LogDevice(server.url, device))
            for device in devices
        }
        pilot = await stack.enter_async_context(app.run_test(size=SIZE))
        yield app, pilot, answering


def body(app: FleetApp) -> list[str]:
    """Return what stands between the title and the hints, without the scroll bar."""
    shown = [line[: SIZE[0] - 1].rstrip() for line in screen_lines(app)[2:-1]]
    return [line for line in shown if line]


def logs_screen(app: FleetApp) -> LogsScreen:
    screen = app.screen
    assert isinstance(screen, LogsScreen)
    return screen


def written(folder: Path) -> list[Path]:
    return list(folder.glob("*.log"))


async def asked(app: FleetApp, question: str) -> None:
    """Return once a choice is offered, and takes keys."""
    await eventually(lambda: isinstance(app.screen, ChooseDialog) and app.screen.is_mounted)
    await eventually(lambda: isinstance(app.focused, OptionList) and question in screen_text(app))


async def test_the_tail_then_what_is_added(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, _pilot, devices):
        request = await devices["van-1"].asked()
        assert (request.deployment, request.container, request.follow) == ("shop", None, True)
        await devices["van-1"].say(stamped(1, "one"), stamped(2, "two"), truncated=True)
        await eventually(lambda: body(app) == ["… older lines were left out", "one", "two"])
        await devices["van-1"].say(stamped(3, "three"))
        await eventually(lambda: body(app)[-1:] == ["three"])
        assert "logs van-1  shop" in screen_lines(app)[1]
        assert screen_lines(app)[1].endswith("4 lines  following")


async def test_without_a_deployment_there_is_a_choice_of_deployment_and_container(
    nats_server: NatsServer,
) -> None:
    fed = fleet("shop", "cache")
    async with opened(nats_server, "logs van-1", "van-1", fed=fed) as (app, pilot, devices):
        await asked(app, "logs of which deployment?")
        await pilot.press("j", "enter")
        await asked(app, "which container of shop?")
        offers = app.screen.query_one(OptionList)
        assert offers.option_count == 3
        await pilot.press("j", "j", "enter")
        request = await devices["van-1"].asked()
        assert (request.deployment, request.container) == ("shop", "migrate")
        assert str(logs_screen(app).location) == ":logs van-1 shop migrate"


async def test_leaving_the_choice_goes_back(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1", fed=fleet("shop", "cache")) as (app, pilot, _):
        await asked(app, "")
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_nothing_deployed_is_told(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1", fed=fleet()) as (app, _pilot, _):
        await eventually(lambda: "nothing is deployed there" in screen_text(app))
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_marked_devices_are_merged_by_time(nats_server: NatsServer) -> None:
    command = "logs van-1,van-2 shop"
    async with opened(nats_server, command, "van-1", "van-2") as (app, _pilot, devices):
        for device in devices.values():
            await device.asked()
        await devices["van-1"].say(stamped(1, "one"), stamped(3, "three"))
        await eventually(lambda: len(body(app)) == 2)
        await devices["van-2"].say(stamped(2, "two"), stamped(4, "four"))
        merged = ["van-1  one", "van-2  two", "van-1  three", "van-2  four"]
        await eventually(lambda: body(app) == merged)


async def test_l_follows_the_marked_devices(nats_server: NatsServer) -> None:
    async with opened(nats_server, "", "van-1", "van-2") as (app, pilot, devices):
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await pilot.press("space", "j", "space", "l")
        await asked(app, "")
        await pilot.press("enter")
        for device in devices.values():
            assert (await device.asked()).container == "web"


async def test_times_are_shown_by_a_key_without_reading_again(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(stamped(1, "one"))
        await eventually(lambda: body(app) == ["one"])
        await pilot.press("t")
        await pilot.pause()
        assert body(app) == ["2026-03-01T12:00:01.000Z one"]
        assert len(devices["van-1"].requests) == 1


async def test_the_previous_run_is_another_request(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(stamped(5, "this run"))
        await eventually(lambda: body(app) == ["this run"])
        await pilot.press("P")
        assert (await devices["van-1"].asked(2)).previous
        await devices["van-1"].say(stamped(1, "the run before"), end="that run is over")
        await eventually(lambda: body(app)[:1] == ["the run before"])
        assert "previous run" in screen_lines(app)[1]
        assert "ended: that run is over" in screen_text(app)


async def test_search_shows_the_context_and_only_hides_it(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        lines = [stamped(n, f"line {n}{' ERROR' if n % 20 == 7 else ''}") for n in range(60)]
        await devices["van-1"].say(*lines)
        await eventually(lambda: body(app)[-1:] == ["line 59"])
        await pilot.press("slash", *"error", "enter")
        await pilot.pause()
        assert "line 47 ERROR" in screen_text(app)
        assert "line 48" in screen_text(app)
        await pilot.press("n")
        await pilot.pause()
        assert "line 7 ERROR" in screen_text(app)
        await pilot.press("N")
        await pilot.pause()
        assert "line 47 ERROR" in screen_text(app)
        await pilot.press("ampersand")
        await pilot.pause()
        assert body(app) == ["line 7 ERROR", "line 27 ERROR", "line 47 ERROR"]
        await devices["van-1"].say(stamped(99, "fine"), stamped(99, "another error"))
        await eventually(lambda: body(app)[-1:] == ["another error"])
        assert "fine" not in body(app)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert logs_screen(app).text.search == ""


async def test_scrolling_up_pauses_and_g_follows_again(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(*(stamped(n, f"line {n}") for n in range(100)))
        await eventually(lambda: body(app)[-1:] == ["line 99"])
        await pilot.press("k")
        await devices["van-1"].say(stamped(100, "line 100"))
        await eventually(lambda: "101 lines  paused, G follows" in screen_lines(app)[1])
        assert body(app)[-1] == "line 98"
        await pilot.press("G")
        await pilot.pause()
        assert body(app)[-1] == "line 100"
        await eventually(lambda: screen_lines(app)[1].endswith("following"))


async def test_lost_chunks_and_a_restart_are_told(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, _pilot, devices):
        device = devices["van-1"]
        await device.asked()
        await device.say(stamped(1, "one"))
        device.lose(2)
        await device.say(stamped(2, "two"))
        await eventually(lambda: body(app) == ["one", "… 2 chunks were missed here", "two"])
        assert "2 chunks missed" in screen_lines(app)[1]
        device.begin_anew()
        await device.say(stamped(1, "one"), stamped(2, "two"), stamped(3, "three"))
        await eventually(lambda: body(app)[-2:] == ["… van-1 began anew", "three"])
        assert body(app).count("one") == 1


async def test_dropped_lines_are_counted(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.sources.log_book.MAX_LINES", 50)
    monkeypatch.setattr("fleet_tui.sources.log_book.TRIM_TO", 40)
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, _pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(*(stamped(n, f"line {n}") for n in range(60)))
        await eventually(lambda: "20 lines dropped  40 lines" in screen_lines(app)[1])
        assert body(app)[-1] == "line 59"


async def test_an_offline_device_is_told_and_asked_again(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "RETRY_S", 0.05)
    async with opened(nats_server, "logs van-1 shop") as (app, _pilot, _):
        await eventually(lambda: "van-1 is offline" in screen_text(app))
        assert sum("van-1 is offline" in line for line in body(app)) == 1
        async with LogDevice(nats_server.url, "van-1") as device:
            await device.asked()
            await device.say(stamped(1, "back again"))
            await eventually(lambda: body(app)[-1:] == ["back again"])
            assert "is offline" not in screen_lines(app)[1]


async def test_hostile_lines_are_only_text(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, _pilot, devices):
        await devices["van-1"].asked()
        evil = "\x1b]52;c;AAAA\x07\x1b[2J[red]bold[/] \u202e\x9b31m\r\x08"
        await devices["van-1"].say(stamped(1, evil), stamped(3, "last"))
        await eventually(lambda: body(app)[-1:] == ["last"])
        text = screen_text(app)
        assert "[red]bold[/]" in text
        assert not set(text) & set("\x1b\x07\x9b\x00\u202e\r\x08")


async def test_a_reply_that_is_none_is_told(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, _pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say("NUL is no text: \x00")
        await eventually(lambda: body(app) and "lines[0]" in body(app)[0])


async def test_closing_the_view_ends_the_stream(nats_server: NatsServer) -> None:
    async with opened(nats_server, "logs van-1 shop", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        screen = logs_screen(app)
        await devices["van-1"].say(stamped(1, "one"))
        await eventually(lambda: body(app) == ["one"])
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await eventually(lambda: not any(worker.node is screen for worker in app.workers))
        assert app.fleet is not None
        heard = len(screen.book.lines)
        await devices["van-1"].say(stamped(2, "two"))
        await pilot.pause(0.1)
        assert len(screen.book.lines) == heard


async def test_saving_writes_a_new_file_each_time(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(nats_server, "logs van-1 shop web", "van-1") as (app, pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(stamped(1, "one"), stamped(2, "two"))
        await eventually(lambda: body(app) == ["one", "two"])
        await pilot.press("ctrl+w", "ctrl+w")
        await eventually((tmp_path / "logs-van-1-shop-web-2.log").exists)
        saved = (tmp_path / "logs-van-1-shop-web.log").read_text()
        assert saved == "one\ntwo\n"
        await eventually(lambda: "2 lines saved in" in screen_lines(app)[-1])


async def test_a_session_for_others_writes_nothing(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = Options(command="logs van-1 shop", restricted=True)
    async with opened(nats_server, "", "van-1", options=options) as (app, pilot, devices):
        await devices["van-1"].asked()
        await devices["van-1"].say(stamped(1, "one"))
        await eventually(lambda: body(app) == ["one"])
        await pilot.press("ctrl+w")
        await eventually(lambda: "this session writes no files" in screen_lines(app)[-1])
    assert {each.name for each in written(tmp_path)} == {"nats.log"}
