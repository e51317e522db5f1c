"""What an agent goes on with from its disk alone: with no network, after a reboot, after damage."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from fleet_agent.agent import Agent, AgentOptions, DeviceIdentity, Link
from fleet_agent.config_model import AgentSection
from fleet_agent.keeping import Keeper, open_keeper
from fleet_agent.reconcile.status import Status
from fleet_agent.runtime.behaviour import Behaviour, ImageScript
from fleet_agent.runtime.contract import ContainerKey, RunState
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_agent.states import StatePublisher
from fleet_agent.storage.state_folder import AgentRecord, StateFolder
from fleet_core.contracts.devices import Inventory
from fleet_core.contracts.states import Phase
from fleet_core.errors import InvalidInputError
from fleet_core.messaging import ConnectionSettings, LatestWriter, connect
from tests.agent.bench import Sink
from tests.agent.test_agent import MIGRATE, shop
from tests.agent.wire import DEVICE, Operator
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.nats_server import NatsServer

WEB = ContainerKey("shop", "web")
SCRIPT = ImageScript(containers={MIGRATE: Behaviour(run_s=0.05)})


class Device:
    """A simulated device with a disk, whose agents come and go."""

    def __init__(self, folder: Path, server: NatsServer) -> None:
        self.folder = folder
        self.server = server
        self.runtime = SimulatedRuntime(SCRIPT)

    @asynccontextmanager
    async def agent_runs(self, boot_id: str = "boot-1") -> AsyncIterator[Agent]:
        folder = StateFolder(self.folder)
        options = AgentOptions(keeper=Keeper(folder, await asyncio.to_thread(folder.read)))
        identity = DeviceIdentity(DEVICE, {}, "1", boot_id, Inventory())
        settings = ConnectionSettings((self.server.url,), ping_interval_s=0.5)
        async with await connect(settings, wait=False) as connection:
            writer = LatestWriter(connection)
            agent = Agent(identity, Link(connection, writer), self.runtime, options=options)
            tasks = [asyncio.create_task(writer.run()), asyncio.create_task(agent.run())]
            try:
                yield agent
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def service_runs(self) -> None:
        async def runs() -> bool:
            found = await self.runtime.container_status(WEB)
            return found is not None and found.state is RunState.RUNNING

        for _ in range(500):
            if await runs():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the service never ran")


@pytest.fixture
def device(tmp_path: Path, nats_server: NatsServer) -> Device:
    return Device(tmp_path / "state", nats_server)


async def ordered(device: Device, operator: Operator) -> None:
    """Have the deployment run once, so that it is on disk."""
    async with device.agent_runs():
        await operator.running("shop", await operator.order("shop", shop()))


async def test_without_a_network_a_new_boot_runs_it_init_containers_first(
    device: Device, operator: Operator, nats_server: NatsServer
) -> None:
    await ordered(device, operator)
    device.runtime.power_off()
    before = await device.runtime.container_status(ContainerKey("shop", "migrate"))
    nats_server.stop()
    async with device.agent_runs("boot-2") as agent:
        await device.service_runs()
        after = await device.runtime.container_status(ContainerKey("shop", "migrate"))
        assert before is not None
        assert after is not None
        assert after.container_id != before.container_id
        assert agent.reconciler is not None
        assert agent.reconciler.desired("shop").generation == 1


@pytest.mark.parametrize("damaged", ["desired.json", "deployments/shop.json", "told.json", "*"])
async def test_damaged_files_stop_nothing(
    device: Device, operator: Operator, nats_server: NatsServer, damaged: str
) -> None:
    await ordered(device, operator)
    before = await device.runtime.container_status(WEB)
    files = list(device.folder.rglob("*.json") if damaged == "*" else device.folder.glob(damaged))
    assert files
    for file in files:
        content = await asyncio.to_thread(file.read_bytes)
        await asyncio.to_thread(file.write_bytes, content[: len(content) // 2])
    nats_server.stop()
    async with device.agent_runs():
        await asyncio.sleep(0.3)
        after = await device.runtime.container_status(WEB)
        assert before is not None
        assert after is not None
        assert (after.container_id, after.state) == (before.container_id, RunState.RUNNING)
        nats_server.start()
        await operator.running("shop", operator.deployments["shop"], 15)
    assert await device.runtime.container_status(WEB) == before


async def test_what_was_dropped_meanwhile_is_removed(device: Device, operator: Operator) -> None:
    await ordered(device, operator)
    operator.deployments.clear()
    await operator.tell(operator.generation + 1)
    async with device.agent_runs():
        await eventually(lambda: "shop" in operator.deleted)
        assert await device.runtime.container_status(WEB) is None


async def test_an_older_manifest_than_the_one_on_disk_is_not_obeyed(
    device: Device, operator: Operator
) -> None:
    operator.generation = 7
    await ordered(device, operator)
    operator.deployments.clear()
    await operator.tell(5)
    async with device.agent_runs():
        await eventually(lambda: operator.heartbeats)
        await asyncio.sleep(0.5)
        await device.service_runs()


def test_another_devices_folder_is_refused(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.keep_agent(AgentRecord(device_id="van-2"))
    asyncio.run(folder.writer.flush())
    section = AgentSection(device_id="van-1", state_dir=str(tmp_path))
    with pytest.raises(InvalidInputError, match="state of device van-2"):
        open_keeper(section)


class SetBack:
    """A clock that was set back by a reboot without a battery."""

    def now(self) -> float:
        return 1_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)


async def test_a_clock_that_was_set_back_does_not_mute_the_device(
    device: Device, operator: Operator
) -> None:
    await ordered(device, operator)
    told = operator.states["shop"]
    folder = StateFolder(device.folder)
    await asyncio.to_thread(folder.read)
    sink = Sink()
    states = StatePublisher(DEVICE, sink, SetBack(), folder)  # type: ignore[arg-type]  # a sink
    states.tell_left_over()
    assert sink.last("shop") == told
    states.publish("shop", 1, told.spec_hash or "", Status(Phase.FAILED, "Error"))
    assert sink.last("shop").last_event_at > told.last_event_at
    states.forget("shop")
    again = StateFolder(device.folder)
    await folder.writer.flush()
    await asyncio.to_thread(again.read)
    heard = Sink()
    StatePublisher(DEVICE, heard, SetBack(), again).tell_left_over()  # type: ignore[arg-type]  # a sink
    assert heard.deleted == ["shop"]
