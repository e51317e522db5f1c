"""What is done from the terminal UI, on a real server: plans, confirmations, jobs, results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import PingReply, RedeployReply, RedeployRequest, Verb
from fleet_core.contracts.devices import DeviceManifest
from fleet_core.contracts.resources import Deployment
from fleet_core.messaging import (
    CommandServer,
    ConnectionSettings,
    KvBucket,
    connect,
    ensure_audit_stream,
)
from fleet_core.operations.contexts import Context
from fleet_core.operations.yaml_text import to_yaml
from fleet_core.operator.wants import Want
from fleet_tui.app import FleetApp
from fleet_tui.dialogs.choose_dialog import ChooseDialog
from fleet_tui.dialogs.plan_dialog import PlanDialog
from fleet_tui.opening import ContextOpener
from fleet_tui.options import Options
from fleet_tui.screens.devices import DevicesScreen
from fleet_tui.screens.job import JobScreen
from fleet_tui.screens.jobs import JobsScreen
from tests.operator.fleets import deployment
from tests.operator.plant import Plant
from tests.support.waiting import eventually, eventually_reads
from tests.tui.screens.screen_text import screen_lines, screen_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot

    from fleet_core.messaging import Message
    from tests.support.nats_server import NatsServer

WIDE = (150, 30)
ANSWERING = ("a-1", "a-2", "a-3")
SILENT = "z-9"


class Devices:
    """Devices that answer, and what they were asked."""

    plant: Plant

    def __init__(self) -> None:
        self.redeployed: list[str] = []

    def serve(self, server: CommandServer, device: str) -> None:
        async def ping(_payload: bytes, _message: Message) -> bytes:
            return encode(PingReply(device_id=device, agent_version="1.3.2", uptime_s=60))

        async def redeploy(payload: bytes, _message: Message) -> bytes:
            asked = decode(RedeployRequest, payload)
            self.redeployed.append(device)
            return encode(
                RedeployReply(device_id=device, deployment=asked.deployment, generation=1)
            )

        server.handle(Verb.PING, ping)
        server.handle(Verb.REDEPLOY, redeploy)


@pytest.fixture
async def devices(nats_server: NatsServer) -> AsyncIterator[Devices]:
    """A small fleet in real buckets; all but one of its devices answer."""
    devices = Devices()
    async with await connect(ConnectionSettings((nats_server.url,))) as connection:
        await ensure_audit_stream(connection)
        plant = Plant(connection)
        await plant.prepare()
        for device in (*ANSWERING, SILENT):
            await plant.device(device, site="berlin" if device in ANSWERING else "paris")
            await deploy(plant, device, "web")
        await plant.apply(deployment(labels={"site": "berlin"}))
        tasks = []
        for device in ANSWERING:
            server = CommandServer(connection, device)
            devices.serve(server, device)
            tasks.append(asyncio.create_task(server.run()))
        devices.plant = plant
        yield devices
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def deploy(plant: Plant, device: str, *names: str) -> None:
    """Have a device's manifest name these deployments."""
    entry = Want.of(deployment()).entry
    manifest = DeviceManifest(generation=1, deployments=dict.fromkeys(names, entry))
    await plant.bucket("device-manifest").put(device, encode(manifest))


def fleet_app(server: NatsServer) -> FleetApp:
    return FleetApp(ContextOpener(Context.of_url(server.url)), Options())


async def opened(app: FleetApp, pilot: Pilot[object]) -> DevicesScreen:
    """Return once everything is read, shown, and takes keys."""
    await eventually(lambda: isinstance(app.screen, DevicesScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, DevicesScreen)
    await eventually(lambda: app.fleet is not None and app.fleet.stats.synced)
    await eventually(lambda: len(screen.rows.rows) == len(ANSWERING) + 1)
    await eventually(lambda: screen.table.has_focus and screen.table.cursor_key == ANSWERING[0])
    await pilot.pause()
    return screen


async def shows_dialog(app: FleetApp) -> PlanDialog:
    await eventually(lambda: isinstance(app.screen, PlanDialog) and app.screen.is_mounted)
    dialog = app.screen
    assert isinstance(dialog, PlanDialog)
    return dialog


@pytest.mark.usefixtures("devices")
async def test_one_ping_is_told_in_a_line_and_kept_in_the_table(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("p")
        await eventually(lambda: "ping a-1: agent 1.3.2" in screen_lines(app)[-1])
        await eventually(lambda: " ms" in screen_lines(app)[3])


@pytest.mark.usefixtures("devices")
async def test_many_pings_are_a_job_with_a_result_for_each(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("P")
        await eventually(lambda: isinstance(app.screen, JobScreen) and app.screen.is_mounted)
        await eventually(lambda: "3 ok  1 failed" in screen_lines(app)[1])
        # What failed stands first.
        await eventually(lambda: SILENT in screen_lines(app)[3])
        assert "offline" in screen_lines(app)[3]
        await pilot.press("R")
        await eventually(lambda: len(app.jobs.all) == 2)
        assert app.jobs.all[1].plan.devices == (SILENT,)
        app.go("jobs")
        await eventually(lambda: isinstance(app.screen, JobsScreen))
        await eventually(lambda: "ping 4 devices" in screen_text(app))


async def test_a_redeploy_of_one_device_takes_a_y_and_acts_on_what_was_under_the_cursor(
    nats_server: NatsServer, devices: Devices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("j", "r")
        dialog = await shows_dialog(app)
        assert dialog.plan.devices == ("a-2",)
        assert "$ fleet" in screen_text(app)
        await pilot.press("enter")  # the focus is on Cancel
        await eventually(lambda: not isinstance(app.screen, PlanDialog))
        assert devices.redeployed == []
        await pilot.press("r")
        await shows_dialog(app)
        await pilot.press("y")
        await eventually(lambda: devices.redeployed == ["a-2"])


async def test_a_redeploy_of_many_takes_their_number(
    nats_server: NatsServer, devices: Devices
) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("colon", *"redeploy", "space", *"web", "enter")
        dialog = await shows_dialog(app)
        number = str(len(dialog.plan.devices))
        await pilot.press("y", "enter")
        assert isinstance(app.screen, PlanDialog)
        await pilot.press("backspace", *number, "enter")
        await eventually(lambda: isinstance(app.screen, JobScreen))
        await eventually(lambda: set(devices.redeployed) >= set(ANSWERING))
        assert len(devices.redeployed) == len(set(devices.redeployed))


@pytest.mark.usefixtures("devices")
async def test_apply_shows_the_diff_and_writes_what_was_confirmed(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    resource = deployment(labels={"site": "berlin"}, image="registry.example/web:2")
    record = resource.model_dump(mode="json", by_alias=True)
    del record["metadata"]["generation"], record["metadata"]["creationTimestamp"]
    path = tmp_path / "web.yaml"
    path.write_text(to_yaml(record))
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        app.run_line(f"apply {path}")
        dialog = await shows_dialog(app)
        assert set(dialog.plan.devices) == set(ANSWERING)
        assert any("web:2" in line for line in dialog.plan.diff)
        await eventually(lambda: "web:2" in screen_text(app))
        await pilot.press(*dialog.plan.confirmation, "enter")
        fleet = app.fleet
        assert fleet is not None

        async def stored() -> tuple[str, int]:
            entry = await KvBucket(fleet.connection, "deployments").get("default.web")
            assert entry is not None
            resource = decode(Deployment, entry.value)
            return resource.spec.score.data.services[0].image, resource.metadata.generation

        await eventually_reads(stored, ("registry.example/web:2", 2))


@pytest.mark.usefixtures("devices")
async def test_a_file_that_cannot_be_read_is_told_with_its_name(nats_server: NatsServer) -> None:
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        app.run_line("apply /nowhere/at-all.yaml")
        await pilot.pause()
        assert "cannot read /nowhere/at-all.yaml" in screen_lines(app)[-1]


async def test_of_several_deployments_one_is_chosen(
    nats_server: NatsServer, devices: Devices
) -> None:
    await deploy(devices.plant, "a-1", "web", "db")
    app = fleet_app(nats_server)
    async with app.run_test(size=WIDE) as pilot:
        await opened(app, pilot)
        await pilot.press("r")
        await eventually(lambda: isinstance(app.screen, ChooseDialog) and app.screen.is_mounted)
        await pilot.pause()
        await pilot.press("j", "enter")
        dialog = await shows_dialog(app)
        assert "web" in dialog.plan.title
        await pilot.press("escape")
        await eventually(lambda: isinstance(app.screen, DevicesScreen))
