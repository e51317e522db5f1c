"""Programs run from the terminal UI, on a real server: where, which line, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import encode
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.messaging import ConnectionSettings, connect, ensure_audit_stream
from fleet_core.operations.contexts import Context
from fleet_core.operator.wants import Want
from fleet_tui.app import FleetApp
from fleet_tui.dialogs.choose_dialog import ChooseDialog
from fleet_tui.dialogs.plan_dialog import PlanDialog
from fleet_tui.jobs import JobState
from fleet_tui.opening import ContextOpener
from fleet_tui.options import Options
from fleet_tui.screens.device import DeviceScreen
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.job import JobScreen
from fleet_tui.screens.output import OutputScreen
from fleet_tui.widgets.prompt import PromptInput
from tests.operator.fleets import deployment
from tests.operator.plant import Plant
from tests.support.exec_devices import HOSTILE, ended, exec_devices, refusing
from tests.support.waiting import eventually
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from fleet_core.contracts.commands import ExecReply, ExecRequest
    from tests.support.exec_devices import ExecDevices
    from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(20)
SIZE = (120, 30)
KIOSKS = ("kiosk-1", "kiosk-2")


@pytest.fixture
async def plant(nats_server: NatsServer) -> AsyncIterator[Plant]:
    """Two devices with a deployment of one service, in real buckets."""
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        await ensure_audit_stream(connection)
        plant = Plant(connection)
        await plant.prepare()
        for device in KIOSKS:
            await plant.device(device, site="berlin")
            await wanted(plant, device, "web")
        await plant.apply(deployment())
        yield plant


async def wanted(plant: Plant, device: str, *names: str) -> None:
    entry = Want.of(deployment()).entry
    manifest = DeviceManifest(generation=1, deployments=dict.fromkeys(names, entry))
    await plant.bucket("device-manifest").put(device, encode(manifest))


@pytest.fixture
async def devices(plant: Plant) -> AsyncIterator[ExecDevices]:
    async with exec_devices(plant.connection, *KIOSKS) as devices:
        yield devices


def fleet_app(
    server: NatsServer, *, read_only: bool = False, options: Options | None = None
) -> FleetApp:
    context = Context("lab", (server.url,), read_only=read_only)
    return FleetApp(ContextOpener(context), options or Options())


async def opened(app: FleetApp, pilot: Pilot[object]) -> None:
    """Return once the devices are shown, and keys are taken."""
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, DevicesScreen)
    await eventually(lambda: app.fleet is not None and app.fleet.stats.synced)
    await eventually(lambda: len(screen.rows.rows) == len(KIOSKS))
    await eventually(lambda: screen.table.has_focus and screen.table.cursor_key == KIOSKS[0])
    await pilot.pause()


async def asks_for_a_line(app: FleetApp) -> None:
    await eventually(lambda: isinstance(app.focused, PromptInput))


async def shows_output(app: FleetApp) -> OutputScreen:
    await eventually(lambda: isinstance(app.screen, OutputScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, OutputScreen)
    return screen


async def confirms(app: FleetApp, pilot: Pilot[object]) -> None:
    await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
    await pilot.press("y")
    await eventually(lambda: not isinstance(app.screen, PlanDialog))


async def run_typed(app: FleetApp, pilot: Pilot[object], line: str) -> OutputScreen:
    """Run a line of a single device as it is typed after the colon, and confirm it."""
    jobs = len(app.jobs.all)
    app.run_line(line)
    await confirms(app, pilot)
    await eventually(lambda: len(app.jobs.all) > jobs)
    return await shows_output(app)


def asked(devices: ExecDevices) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(device, each.deployment, each.container, each.shell) for device, each in devices.asked]


async def test_a_line_runs_in_the_only_container_and_its_output_is_shown(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        # Typed ahead: what follows x is text from the first letter on.
        await pilot.press("x", *"ls -l /etc")
        await eventually(lambda: "in web/main on kiosk-1; enter runs it" in screen_text(app))
        await pilot.press("enter")
        await shows_output(app)
        await eventually(lambda: "exit code 0" in screen_lines(app)[1])
        assert "exec ls -l /etc in web/main on kiosk-1" in screen_lines(app)[1]
        assert [line.strip() for line in screen_lines(app)[2:4]] == ["Linux", "second"]
        assert asked(devices) == [("kiosk-1", "web", "main", "ls -l /etc")]
        assert devices.asked[0][1].timeout_s == 25
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))


async def test_an_empty_line_and_escape_run_nothing(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("x", "space", "enter")
        await eventually(lambda: not app.is_typing)
        await pilot.press("x", *"reboot", "escape")
        await eventually(lambda: not app.is_typing)
        await pilot.pause()
        assert app.jobs.all == []
        assert devices.asked == []


async def test_of_several_containers_one_is_chosen_or_the_device_itself(
    nats_server: NatsServer, devices: ExecDevices, plant: Plant
) -> None:
    await wanted(plant, "kiosk-1", "web", "db")
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await eventually(lambda: len(app.view.devices.desired[0] or ()) == 2)
        await pilot.press("x")
        await eventually(lambda: isinstance(app.screen, ChooseDialog) and app.screen.is_mounted)
        await eventually(lambda: "the device itself" in screen_text(app))
        assert "web/main" in screen_text(app)
        await pilot.press("j", "j", "enter")
        await asks_for_a_line(app)
        await eventually(lambda: "on kiosk-1 itself" in screen_text(app))
        await pilot.press(*"uptime", "enter")
        await shows_output(app)
        await eventually(lambda: asked(devices) == [("kiosk-1", None, None, "uptime")])
        # Another line in the same place is not asked where again.
        await eventually(lambda: "exit code 0" in screen_lines(app)[1])
        await pilot.press("x", "up", "enter")
        await eventually(lambda: len(devices.asked) == 2)
        assert asked(devices)[1] == ("kiosk-1", None, None, "uptime")


async def test_on_the_device_view_it_is_what_stands_under_the_cursor(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("enter")
        await eventually(lambda: isinstance(app.screen, DeviceScreen) and app.screen.is_mounted)
        screen = app.screen
        assert isinstance(screen, DeviceScreen)
        await eventually(lambda: screen.row_under_cursor is not None)
        await pilot.press("x", *"id", "enter")
        await shows_output(app)
        await eventually(lambda: asked(devices) == [("kiosk-1", "web", "main", "id")])


async def test_a_typed_command_runs_as_it_stands(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await run_typed(app, pilot, "exec kiosk-2 -- ls  /etc -- /var | wc")
        await run_typed(app, pilot, "exec kiosk-1 web main -- id")
        await eventually(lambda: len(devices.asked) == 2)
        assert asked(devices) == [
            ("kiosk-2", None, None, "ls  /etc -- /var | wc"),
            ("kiosk-1", "web", "main", "id"),
        ]
        await eventually(lambda: app.jobs.running == 0)
        app.run_line("exec kiosk-1 web main")
        await asks_for_a_line(app)
        await pilot.press("escape")
        for line in ("exec", "exec kiosk-1 -- ", "exec a b c d -- ls"):
            app.run_line(line)
            await eventually(lambda: screen_lines(app)[-1].strip().startswith(("exec:", "no prog")))
            app.say("")
        assert len(devices.asked) == 2


async def test_a_device_is_completed_and_a_path_is_no_filter(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        await pilot.press("colon", *"exec x -- ls /si")
        await pilot.pause()
        assert "site" not in screen_lines(app)[-2]


async def test_nothing_that_a_device_says_acts_on_the_terminal(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.answer = ended(3, stdout=f"[bold]{HOSTILE}", stderr="sorry\n", truncated=True)
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        screen = await run_typed(app, pilot, "exec kiosk-1 web -- ls")
        await eventually(lambda: "exit code 3" in screen_lines(app)[1])
        shown = screen.text.lines
        assert all(text.isprintable() for text, _ in shown)
        assert shown[0][0].startswith("[bold]\ufffd]0;owned")
        assert shown[1][0].strip() == "second line"
        assert ("sorry", "warning") in shown
        assert "the end of it is missing" in shown[-1][0]


@pytest.mark.parametrize("word", ["refused", "deadline", "offline"])
async def test_what_was_not_run_or_not_ended_says_why(
    nats_server: NatsServer, devices: ExecDevices, word: str
) -> None:
    devices.answer = refusing if word == "refused" else ended(None)
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await run_typed(app, pilot, f"exec {'gone' if word == 'offline' else 'kiosk-1'} -- ls")
        await eventually(lambda: word in screen_lines(app)[1])
        said = {"refused": "in its own configuration", "deadline": "no output", "offline": "ping"}
        assert said[word] in screen_text(app)


async def test_a_late_answer_is_waited_for_and_can_be_given_up(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    devices.may_answer.clear()
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await run_typed(app, pilot, "exec kiosk-1 -- sleep 9")
        await eventually(lambda: "running …" in screen_lines(app)[1])
        await eventually(lambda: devices.at_work == 1)
        await pilot.press("ctrl+k")
        await eventually(lambda: app.jobs.all[0].state is JobState.CANCELLED)
        await eventually(lambda: "cancelled: no answer" in screen_lines(app)[1])
        devices.may_answer.set()
        await eventually(lambda: devices.at_work == 0)
        await pilot.pause()
        assert "cancelled: no answer" in screen_lines(app)[1]


async def test_on_marked_devices_it_is_confirmed_and_a_job_with_outputs(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    def answer(request: ExecRequest) -> ExecReply:
        return ended(len(devices.ended) - 1, stdout=f"{request.shell} here\n")(request)

    devices.answer = answer
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("space", "j", "space", "x", *"date", "enter")
        await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
        assert devices.asked == []
        await pilot.press("2", "enter")
        await eventually(lambda: isinstance(app.screen, JobScreen) and app.screen.is_mounted)
        await eventually(lambda: "1 ok  1 failed" in screen_lines(app)[1])
        await eventually(lambda: "exit code 1: date here" in screen_text(app))
        await pilot.press("o")
        screen = await shows_output(app)
        await eventually(lambda: len(screen.text.lines) == 4)
        assert {text for text, _ in screen.text.lines} == {
            *(f"{device}  exit code {n}" for n, device in enumerate(devices.ended)),
            "date here",
        }
        await pilot.press("escape", "enter")
        await eventually(lambda: isinstance(app.screen, OutputScreen) and app.screen is not screen)
        assert str((await shows_output(app)).location) == f":output 1 {devices.ended[1]}"


async def test_again_is_confirmed_first(nats_server: NatsServer, devices: ExecDevices) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await run_typed(app, pilot, "exec kiosk-1 web main -- date")
        await eventually(lambda: "exit code 0" in screen_lines(app)[1])
        await pilot.press("R")
        await confirms(app, pilot)
        await eventually(lambda: len(devices.asked) == 2)
        assert asked(devices)[0] == asked(devices)[1]
        assert devices.asked[0][1].request_id != devices.asked[1][1].request_id


async def test_a_link_to_a_program_runs_nothing_by_itself(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server, options=Options(command="exec kiosk-1 web -- reboot"))
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
        assert "$ fleet" in screen_text(app)
        await pilot.press("enter")  # the focus is on Cancel
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
        assert app.jobs.all == []
        assert devices.asked == []


async def test_a_read_only_session_refuses_before_anything_is_typed(
    nats_server: NatsServer, devices: ExecDevices
) -> None:
    app = fleet_app(nats_server, read_only=True)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("x")
        await eventually(lambda: "read-only" in screen_lines(app)[-1])
        assert not app.is_typing
        app.say("")
        app.run_line("exec kiosk-1 -- ls")
        await eventually(lambda: "read-only" in screen_lines(app)[-1])
        assert devices.asked == []


@pytest.mark.usefixtures("devices")
async def test_lines_have_a_history_of_their_own(nats_server: NatsServer, tmp_path: Path) -> None:
    app = fleet_app(nats_server, options=Options(state_directory=tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        await pilot.press("x", *"df -h", "enter")
        await shows_output(app)
        assert (tmp_path / "shell-lines").read_text() == "df -h\n"
        assert not (tmp_path / "commands").exists()


@pytest.mark.usefixtures("devices")
async def test_the_palette_and_the_help_know_it(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=(150, 60)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+p", *"exec")
        await eventually(lambda: "Exec  in devices  x" in screen_text(app))
        await pilot.press("enter")
        await asks_for_a_line(app)
        await pilot.press("escape")
        await eventually(lambda: not app.is_typing)
        app.go("help")
        await eventually(lambda: "exec DEVICE[,DEVICE…]" in screen_text(app))


@pytest.mark.usefixtures("devices")
async def test_output_is_there_only_for_what_was_run(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot)
        app.run_line("ping kiosk-1")
        await eventually(lambda: len(app.jobs.all) == 1)
        for line, said in (
            ("output 1", "no exec job 1"),
            ("output 77", "no exec job 77"),
            ("output x", "expected a job's number"),
        ):
            app.run_line(line)
            await eventually(lambda said=said: said in screen_lines(app)[-1])
