"""The commands that this device answers; all others are refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_agent.commands.log_reading import bounded_reply, chosen_container
from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.commands import (
    LogsRequest,
    PingReply,
    RedeployReply,
    RedeployRequest,
    Verb,
)
from fleet_core.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_agent.commands.follow import LogFollowers
    from fleet_agent.commands.log_reading import LogSource
    from fleet_agent.reconcile.reconciler import Reconciler
    from fleet_core.clock import Clock
    from fleet_core.messaging import CommandServer, Message

    Handler = Callable[[bytes, Message], Awaitable[bytes | None]]


class PingHandler:
    """Answers ``ping``; whatever its body says."""

    def __init__(self, device_id: str, agent_version: str, clock: Clock) -> None:
        self._device_id = device_id
        self._agent_version = agent_version
        self._clock = clock
        self._started_at_s = clock.monotonic()

    async def __call__(self, _payload: bytes, _message: Message) -> bytes:
        """Return who is here, and for how long."""
        uptime_s = int(self._clock.monotonic() - self._started_at_s)
        reply = PingReply(
            device_id=self._device_id, agent_version=self._agent_version, uptime_s=uptime_s
        )
        return encode(reply)


@dataclass(frozen=True, slots=True)
class ContainerCommands:
    """The commands that need a container runtime."""

    device_id: str
    reconciler: Reconciler
    source: LogSource
    followers: LogFollowers
    clock: Clock

    async def logs(self, payload: bytes, message: Message) -> bytes | None:
        """Return lines of a container's log; with ``follow`` the chunks are sent from a task."""
        request = decode(LogsRequest, payload)
        key = chosen_container(
            request.deployment,
            request.container,
            self.reconciler.desired(request.deployment).score,
        )
        if request.follow:
            self.followers.follow(request, key, message.reply)
            return None
        since_s = None if request.since_s is None else self.clock.now() - request.since_s
        lines = await self.source.read(
            key, tail=request.tail, since_s=since_s, previous=request.previous
        )
        return encode(bounded_reply(lines, timestamps=request.timestamps, tail=request.tail))

    async def redeploy(self, payload: bytes, _message: Message) -> bytes:
        """Begin again with the first init container; what comes of it is told by the state."""
        request = decode(RedeployRequest, payload)
        generation = self.reconciler.start_over(request.deployment)
        reply = RedeployReply(
            device_id=self.device_id, deployment=request.deployment, generation=generation
        )
        return encode(reply)


async def refuse_without_runtime(_payload: bytes, _message: Message) -> bytes:
    """Refuse what needs containers."""
    raise RefusedError(
        "this device runs no containers", remedy="its agent has runtime_enabled = false"
    )


def serve(
    server: CommandServer, ping: Handler, execute: Handler, containers: ContainerCommands | None
) -> None:
    """Register all commands."""
    server.handle(Verb.PING, ping)
    server.handle(Verb.EXEC, execute)
    server.handle(Verb.LOGS, containers.logs if containers else refuse_without_runtime)
    server.handle(Verb.REDEPLOY, containers.redeploy if containers else refuse_without_runtime)
