"""Who answers as this device: the agent, nobody, or, as must not be, two."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fleet_agent.device.checks.finding import Finding, fail, ok, skip, warn
from fleet_agent.device.spans import spoken
from fleet_core.contracts.base import decode
from fleet_core.contracts.commands import PingReply, Verb, command_subject
from fleet_core.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from fleet_agent.device.checks.rights import Complaints
    from fleet_core.messaging import Connection, Message

_ABOUT: Final = "agent"
_FIRST_DEADLINE_S: Final = 2.0
_SECOND_DEADLINE_S: Final = 0.5
"""A second agent answers about as soon as the first does."""
_STATUS: Final = "Status"


async def check_sameness(
    connection: Connection, device_id: str, complaints: Complaints
) -> list[Finding]:
    """Ping this device, and count who answers."""
    subject = command_subject(device_id, Verb.PING)
    inbox = connection.settings.inbox_prefix
    try:
        replies = await complaints.unless_refused(_ping(connection, subject), subject, inbox)
    except RefusedError:
        what = "who answers as this device is not seen: a device may not send commands, and rightly"
        return [skip(_ABOUT, what)]
    return [judge(device_id, replies)]


def judge(device_id: str, replies: list[bytes]) -> Finding:
    """Judge the answers to one ping."""
    if not replies:
        return ok(_ABOUT, f"no agent answers as {device_id}: none runs now, here or elsewhere")
    if len(replies) > 1:
        what = f"{len(replies)} agents answer as {device_id}: they undo each other's work"
        return fail(_ABOUT, what, "give each device an agent.device_id of its own")
    try:
        told = decode(PingReply, replies[0])
    except InvalidInputError:
        what = f"something answers as {device_id}, and not as an agent does"
        return warn(_ABOUT, what, "look for a program of yours that takes its commands")
    uptime = spoken(told.uptime_s)
    return ok(_ABOUT, f"one answers as {device_id}: version {told.agent_version}, up {uptime}")


async def _ping(connection: Connection, subject: str) -> list[bytes]:
    replies: list[bytes] = []
    nobody = False
    arrived = asyncio.Event()

    def take(message: Message) -> None:
        nonlocal nobody
        if _STATUS in (message.headers or {}):
            nobody = True
        else:
            replies.append(message.data)
        arrived.set()

    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, take)
    try:
        await connection.publish(subject, b"", reply=inbox)
        async with asyncio.timeout(_FIRST_DEADLINE_S):
            await arrived.wait()
        if not nobody:
            await asyncio.sleep(_SECOND_DEADLINE_S)
    except TimeoutError:
        pass
    finally:
        await subscription.unsubscribe()
    return replies
