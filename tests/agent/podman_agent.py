"""A real agent process on a real podman, which a test starts and kills; and what it is to run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fleet_agent.agent import Agent, AgentOptions, DeviceIdentity, Link
from fleet_agent.keeping import Keeper
from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.policy import DevicePolicy
from fleet_agent.storage.state_folder import StateFolder
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.devices import Inventory
from fleet_core.contracts.scores import Score
from fleet_core.messaging import ConnectionSettings, LatestWriter, connect
from tests.agent.wire import DEVICE
from tests.support.podman import IMAGE
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.podman import PodmanMachine

CONFIG: Final = """\
[agent]
device_id = "{device}"
state_dir = "{folder}/state"
drift_interval_s = {drift_s}
[nats]
urls = ["{url}"]
[podman]
socket = "{socket}"
[containers]
allow_host_paths = ["{folder}/oracle"]
exec = "host"
"""
ORACLE: Final = 'echo "$(cut -d" " -f1 /proc/uptime) {name} {word}" >> /oracle/log'


def init(name: str, *, takes_s: float = 0.3, exit_code: int = 0, **more: Any) -> dict[str, Any]:
    """An init container that tells the oracle when it starts and when it ends."""
    script = (
        f"{ORACLE.format(name=name, word='Starting')}; sleep {takes_s}; "
        f"{ORACLE.format(name=name, word='Exiting')}; exit {exit_code}"
    )
    return {"name": name, "image": IMAGE, "args": ["sh", "-c", script], **more}


def web(name: str = "web", version: str = "1", *, on_term: str = "exit 0", **more: Any) -> Any:
    """A service that runs until it is told to end."""
    script = (
        f"trap '{on_term}' TERM; {ORACLE.format(name=name, word='Starting')}; "
        "while true; do sleep 1000 & wait; done"
    )
    env = {"VERSION": version}
    return {"name": name, "image": IMAGE, "args": ["sh", "-c", script], "env": env, **more}


@dataclass
class PodmanAgent:
    """One device's agent as a process, and the folder that outlives it."""

    podman: PodmanMachine
    url: str
    folder: Path
    drift_s: int = 2
    process: asyncio.subprocess.Process | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        """Write its configuration."""
        (self.folder / "oracle").mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "agent.log"
        config = CONFIG.format(
            device=DEVICE,
            folder=self.folder,
            url=self.url,
            socket=self.podman.socket,
            drift_s=self.drift_s,
        )
        (self.folder / "config.toml").write_text(config)

    async def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if "FLEET_" not in name}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "fleet_agent", "run", "-v"),
                *("--config", str(self.folder / "config.toml")),
                env=environment,
                stderr=log,
            )

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int | None:
        """End it by a signal; returns its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        return await process.wait()

    def score(self, *services: Any, inits: tuple[Any, ...] = (), **more: Any) -> bytes:
        """Return a score's payload; each container of it sees the oracle."""
        oracle = f"{self.folder}/oracle:/oracle"
        for container in (*inits, *services):
            container.setdefault("volumes", []).append(oracle)
        data = {"init_containers": list(inits), "services": list(services), **more}
        payload = json.dumps({"type": "PodmanV0", "data": data}).encode()
        return encode(decode(Score, payload))

    def told(self) -> list[tuple[str, str]]:
        """Return (name, word) of each line that containers told the oracle, in order."""
        log = self.folder / "oracle" / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(name, word) for _, name, word in (line.split() for line in lines)]

    def runs_of(self, name: str) -> int:
        return self.told().count((name, "Starting"))

    async def has_told(self, name: str, word: str, times: int = 1) -> None:
        await eventually(
            lambda: self.told().count((name, word)) >= times,
            timeout_s=20,
            message=f"{name} never {word}: {self.told()}",
        )

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return podman's own list of this device's containers, by name."""
        listed = self.podman.run("ps", "--all", "--format", "json")
        return {each["Names"][0]: each for each in json.loads(listed or "[]") or []}

    def container_id(self, name: str = "web", deployment: str = "shop") -> str:
        return str(self.containers()[f"fleet-{deployment}.{name}"]["Id"])


@asynccontextmanager
async def booted(device: PodmanAgent, boot_id: str) -> AsyncIterator[PodmanRuntime]:
    """Run an agent in one boot of the device, in this process; its state folder outlives it."""
    folder = StateFolder(device.folder / "state")
    options = AgentOptions(keeper=Keeper(folder, await asyncio.to_thread(folder.read)))
    policy = DevicePolicy(host_paths=(f"{device.folder}/oracle",))
    runtime = PodmanRuntime(PodmanSettings(socket=device.podman.socket, policy=policy))
    identity = DeviceIdentity(DEVICE, {}, "1", boot_id, Inventory())
    async with await connect(ConnectionSettings((device.url,)), wait=False) as connection:
        writer = LatestWriter(connection)
        agent = Agent(identity, Link(connection, writer), runtime, options=options)
        tasks = [asyncio.create_task(writer.run()), asyncio.create_task(agent.run())]
        try:
            yield runtime
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runtime.close()
