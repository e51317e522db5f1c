"""What the cases of init containers are played on: a device, simulated or with a real podman.

A case says what containers do (`Does`), and asks for what was started when (`told`). Its seconds
are those of the running loop: made up on the simulated device, and on podman a number of times as
fast as the world's, so that minutes of back-off can be waited for.
"""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet_agent.runtime.behaviour import Behaviour, ImageBehaviour
from fleet_agent.runtime.contract import ContainerKey
from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings
from fleet_agent.runtime.policy import DevicePolicy
from fleet_agent.runtime.simulated import SimulatedRuntime
from fleet_core.contracts.base import decode
from fleet_core.contracts.scores import Score
from tests.agent.bench import Bench, to_json
from tests.support.fast_time import FastClock, FastLoop
from tests.support.podman import IMAGE
from tests.support.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleet_agent.runtime.contract import ContainerSpec, Snapshot
    from fleet_core.contracts.states import ContainerStatus, DeploymentState
    from tests.support.podman import PodmanMachine

MISSING = "localhost/nobody-has-this:1"


@dataclass(frozen=True)
class Does:
    """What a container does; without ``run_s`` it runs until it is told to end."""

    run_s: float | None = None
    exit_code: int = 0
    log: tuple[str, ...] = ()
    ignores_term: bool = False
    oom: bool = False
    signal: int = 0
    """It ends by this signal."""


WORKS = Does(run_s=0)
SERVES = Does()


class CaseBench(Bench):
    """A `Bench` on which cases are written once for both runtimes."""

    def init(self, name: str, does: Does = WORKS, **more: Any) -> dict[str, Any]:
        return {"name": name, **self.container(name, does), **more}

    def serves(self, name: str = "web", does: Does = SERVES, **more: Any) -> dict[str, Any]:
        return {"name": name, **self.container(name, does), **more}

    def score(self, *inits: Any, services: tuple[Any, ...] = (), **more: Any) -> Score:
        chosen = services or (self.serves(),)
        data = {"init_containers": list(inits), "services": list(chosen), **more}
        return decode(Score, to_json({"type": "PodmanV0", "data": data}))

    @abstractmethod
    def container(self, name: str, does: Does) -> dict[str, Any]:
        """Return the part of a container that says what it runs."""

    @abstractmethod
    def told(self) -> list[tuple[float, str, str]]:
        """Return (moment in the loop's seconds, name, ``Starting`` or ``Exiting``), in order."""

    @abstractmethod
    async def power_off(self) -> None:
        """End all containers, as a reboot does."""

    def tells_of_oom(self, deployment: str) -> bool:
        """Tell whether the runtime knows what killed the container ``first``."""
        return bool(deployment)

    async def close(self) -> None:
        await self.runtime.close()

    def starts(self, name: str = "") -> list[float]:
        return [at for at, who, word in self.told() if word == "Starting" and name in {"", who}]

    def order(self) -> list[str]:
        return [f"{name} {word}" for _, name, word in self.told()]

    def state(self, name: str = "shop") -> DeploymentState | None:
        states = self.sink.states.get(name)
        return states[-1] if states else None

    def status(self, name: str) -> ContainerStatus:
        state = self.sink.last()
        statuses = (*state.init_container_statuses, *state.container_statuses)
        return next(status for status in statuses if status.name == name)

    async def found(self, name: str = "web") -> Snapshot | None:
        return await self.runtime.container_status(ContainerKey("shop", name))

    async def until(self, holds: Callable[[], object], within_s: float = 60) -> None:
        """Return as soon as it holds; fails after so many of the loop's seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while not holds():
            if loop.time() > deadline:
                raise AssertionError(f"not within {within_s} s: {self.order()} {self.state()}")
            await asyncio.sleep(0.05)

    async def until_reason(self, reason: str, name: str = "shop", within_s: float = 60) -> None:
        def told() -> bool:
            state = self.state(name)
            return state is not None and state.reason == reason

        await self.until(told, within_s)

    async def until_running(self, within_s: float = 60) -> None:
        """Return when the newest wish is told to run."""

        def told() -> bool:
            state = self.state()
            return (
                state is not None
                and state.reason == "Running"
                and state.generation == self.generation
            )

        await self.until(told, within_s)


class _Script:
    """What the simulated containers of a case do, by their images."""

    def __init__(self) -> None:
        self.does: dict[str, Does] = {}

    def image(self, image: str) -> ImageBehaviour:
        return ImageBehaviour(missing=image == MISSING)

    def container(self, spec: ContainerSpec) -> Behaviour:
        does = self.does[spec.container.image]
        return Behaviour(
            run_s=does.run_s,
            exit_code=128 + does.signal if does.signal else does.exit_code,
            last_words=does.log,
            ignores_term=does.ignores_term,
            oom_killed=does.oom,
        )


class _Recording(SimulatedRuntime):
    """Notes when containers start, and when they end by themselves."""

    def __init__(self, script: _Script) -> None:
        super().__init__(script, clock=VirtualClock())
        self.lines: list[tuple[float, str, str]] = []

    def _create(self, spec: ContainerSpec) -> Any:
        made = super()._create(spec)
        self.lines.append((made.starts_at, spec.key.container, "Starting"))
        ends_at = made.behaviour.ends_by_itself_at(made.starts_at)
        if ends_at is not None:
            self.lines.append((ends_at, spec.key.container, "Exiting"))
        return made


class SimulatedBench(CaseBench):
    """A simulated device in made-up time."""

    def __init__(self) -> None:
        self.script = _Script()
        super().__init__(self.script)  # type: ignore[arg-type]  # any script will do
        self.runtime = _Recording(self.script)
        self.start_agent("boot-1")

    def container(self, name: str, does: Does) -> dict[str, Any]:
        image = f"registry.example/{name}:{len(self.script.does)}"
        self.script.does[image] = does
        return {"image": image}

    def told(self) -> list[tuple[float, str, str]]:
        now = asyncio.get_running_loop().time()
        return sorted(line for line in self.runtime.lines if line[0] <= now)

    async def power_off(self) -> None:
        self.runtime.power_off()


class PodmanBench(CaseBench):
    """A device with a real podman; its loop's seconds are shorter than the world's."""

    def __init__(self, podman: PodmanMachine, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        self.speed = loop.speed if isinstance(loop, FastLoop) else 1.0
        self._podman = podman
        self._oracle = folder / "oracle"
        self._oracle.mkdir()
        super().__init__(None)  # type: ignore[arg-type]  # its containers are real
        self.clock: Any = FastClock()
        policy = DevicePolicy(host_paths=(str(self._oracle),))
        self.runtime: Any = PodmanRuntime(PodmanSettings(socket=podman.socket, policy=policy))
        self.start_agent("boot-1")

    def container(self, name: str, does: Does) -> dict[str, Any]:
        tell = f'echo "$(cut -d" " -f1 /proc/uptime) {name} %s" >> /oracle/log;'
        lines = [tell % "Starting", *(f"echo '{line}';" for line in does.log)]
        if does.oom:
            lines.append("exec tail /dev/zero;")
        elif does.signal:
            # The first process of a container is safe from its own signals, a child is not.
            lines.append(f"sh -c 'kill -{does.signal} $$'; exit $?;")
        elif does.run_s is not None:
            lines.append(f"trap 'exit 143' TERM; sleep {does.run_s / self.speed:.3f} & wait $!;")
        else:
            trap = "" if does.ignores_term else "exit 0"
            lines.append(f"trap '{trap}' TERM; while true; do sleep 1000 & wait; done;")
        lines.append(f"{tell % 'Exiting'} exit {does.exit_code}")
        more = {"resources": {"memory": "16Mi"}} if does.oom else {}
        volumes = [f"{self._oracle}:/oracle"]
        return {"image": IMAGE, "args": ["sh", "-c", " ".join(lines)], "volumes": volumes, **more}

    def told(self) -> list[tuple[float, str, str]]:
        log = self._oracle / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        fields = [line.split() for line in lines]
        return [(float(at) * self.speed, name, word) for at, name, word in fields]

    def tells_of_oom(self, deployment: str) -> bool:
        """Where podman is not told, as here, the kernel's log must be readable."""
        del deployment
        return os.access("/dev/kmsg", os.R_OK)

    async def power_off(self) -> None:
        await asyncio.to_thread(self._podman.run, "kill", "--all", check=False)
