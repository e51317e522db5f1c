"""One device's agent: its parts, put together on a connection that others may share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_agent.commands.execution import ExecCommand
from fleet_agent.commands.follow import LogFollowers
from fleet_agent.commands.handlers import ContainerCommands, PingHandler, serve
from fleet_agent.commands.log_reading import LogSource
from fleet_agent.heartbeat import Heartbeat
from fleet_agent.reconcile.reconciler import Reconciler
from fleet_agent.reconcile.surroundings import Surroundings
from fleet_agent.republish import Republisher
from fleet_agent.saved_logs import SavedLogs
from fleet_agent.states import StatePublisher
from fleet_core.clock import SystemClock
from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import DEVICE_INFO, info_key
from fleet_core.contracts.devices import (
    DEFAULT_HEARTBEAT_INTERVAL_S,
    DeviceInfo,
)
from fleet_core.messaging import CommandServer, DesiredReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleet_agent.commands.execution import ExecLevel
    from fleet_agent.commands.handlers import Handler
    from fleet_agent.keeping import Keeper
    from fleet_agent.runtime.contract import ContainerRuntime
    from fleet_core.clock import Clock
    from fleet_core.contracts.devices import DeviceManifest, Inventory, ManifestEntry
    from fleet_core.contracts.scores import Score
    from fleet_core.errors import InvalidInputError
    from fleet_core.messaging import Connection, LatestWriter


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What a device is, as it tells the fleet."""

    device_id: str
    labels: Mapping[str, str]
    agent_version: str
    boot_id: str
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class Link:
    """What an agent speaks through; several simulated agents may share one."""

    connection: Connection
    writer: LatestWriter


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What of an agent's behaviour its configuration decides."""

    keeper: Keeper | None = None
    """Without one nothing is kept on disk: a simulated device loses nothing by a reboot."""

    heartbeat_interval_s: float | None = None
    """Instead of what the manifest says."""
    drift_interval_s: float = 60.0
    exec_level: ExecLevel = "containers"


class Agent:
    """An agent for one device; without a runtime it does heartbeat and commands only."""

    def __init__(
        self,
        identity: DeviceIdentity,
        link: Link,
        runtime: ContainerRuntime | None,
        *,
        options: AgentOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.identity = identity
        self._options = options or AgentOptions()
        self._clock: Clock = clock or SystemClock()
        self._link = link
        self._started_at = datetime.fromtimestamp(int(self._clock.now()), UTC)
        self.heartbeat = Heartbeat(
            identity.device_id,
            link.connection,
            self._clock,
            interval_s=self.interval_s(DEFAULT_HEARTBEAT_INTERVAL_S),
        )
        self._keeper = keeper = self._options.keeper
        folder = None if keeper is None else keeper.folder
        self.states = StatePublisher(identity.device_id, link.writer, self._clock, folder)
        self.reconciler: Reconciler | None = None
        self._followers: LogFollowers | None = None
        self._commands = CommandServer(link.connection, identity.device_id)
        containers = self._containers(runtime)
        execute = ExecCommand(self._options.exec_level, self.reconciler, runtime)
        serve(self._commands, self.ping_handler(), execute, containers)
        known = (None, {}) if keeper is None else (keeper.manifest, keeper.held())
        self._reader = DesiredReader(link.connection, identity.device_id, self, known=known)

    def ping_handler(self) -> Handler:
        """Return what answers ``ping``."""
        return PingHandler(self.identity.device_id, self.identity.agent_version, self._clock)

    def interval_s(self, told_s: float) -> float:
        """Return the seconds between heartbeats, where the manifest says ``told_s``."""
        return self._options.heartbeat_interval_s or told_s

    def _containers(self, runtime: ContainerRuntime | None) -> ContainerCommands | None:
        if runtime is None:
            return None
        saved_logs = SavedLogs() if self._keeper is None else self._keeper.saved_logs()
        self.reconciler = Reconciler(
            Surroundings(
                runtime,
                self._clock,
                self.identity.boot_id,
                self.states,
                saved_logs,
                self._options.drift_interval_s,
                *(() if self._keeper is None else (self._keeper.folder.keep_memory,)),
            )
        )
        if self._keeper is not None:
            self._keeper.recall(self.reconciler)
        source = LogSource(runtime, saved_logs)
        self._followers = LogFollowers(self._link.connection, source, self._clock)
        return ContainerCommands(
            self.identity.device_id, self.reconciler, source, self._followers, self._clock
        )

    async def run(self) -> None:
        """Work until cancelled; containers then go on running."""
        self.publish_info()
        self.states.tell_left_over()
        republisher = Republisher(self._link.connection, self._publish_again)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.heartbeat.run())
                group.create_task(self._commands.run())
                group.create_task(self._reader.run())
                if self.reconciler is not None:
                    group.create_task(self.reconciler.run())
                if self._keeper is not None:
                    group.create_task(self._keep(self._keeper))
        finally:
            republisher.close()
            if self._followers is not None:
                await self._followers.close()

    async def _keep(self, keeper: Keeper) -> None:
        """Keep on disk what is offered, until cancelled."""
        connection = self._link.connection
        keeper.on_start(self.identity, self._clock)
        keeper.on_link(connection.status, self._clock)
        unlisten = connection.on_change(lambda status: keeper.on_link(status, self._clock))
        try:
            await keeper.folder.writer.run()
        finally:
            unlisten()

    def publish_info(self) -> None:
        """Offer what this device is."""
        info = DeviceInfo(
            device_id=self.identity.device_id,
            labels=dict(self.identity.labels),
            inventory=self.identity.inventory,
            agent_version=self.identity.agent_version,
            boot_id=self.identity.boot_id,
            started_at=self._started_at,
        )
        self._link.writer.offer(DEVICE_INFO.name, info_key(info.device_id), encode(info))

    def on_manifest(self, manifest: DeviceManifest) -> None:
        """Obey a newer manifest."""
        self.heartbeat.set_interval(self.interval_s(manifest.heartbeat_interval_s))
        if self._keeper is not None:
            self._keeper.on_manifest(manifest)
        if self.reconciler is not None:
            self.reconciler.on_manifest(manifest)

    def on_score(self, deployment: str, entry: ManifestEntry, score: Score) -> None:
        """Obey a new score."""
        if self._keeper is not None:
            self._keeper.on_score(deployment, score)
        if self.reconciler is not None:
            self.reconciler.on_score(deployment, entry, score)

    def on_refused(self, deployment: str, entry: ManifestEntry, error: InvalidInputError) -> None:
        """Tell that a score is malformed."""
        if self.reconciler is not None:
            self.reconciler.on_refused(deployment, entry, error)

    def _publish_again(self) -> None:
        self.publish_info()
        self.states.publish_again()
