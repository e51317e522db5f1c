"""What this device's user may do at the server: send signs of life, read its manifest, listen.

Nothing is written: the heartbeat is sent for a stream of another name, which the server refuses
after it has looked at the right to publish (its header ``Nats-Expected-Stream``).
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from fleet_agent.device.checks.finding import Finding, fail, ok
from fleet_core.contracts.base import decode
from fleet_core.contracts.buckets import (
    DESIRED_STATE,
    DEVICE_HEARTBEAT,
    DEVICE_MANIFEST,
    desired_key,
    heartbeat_key,
    manifest_key,
)
from fleet_core.contracts.commands import command_filter
from fleet_core.contracts.devices import DeviceManifest, encode_heartbeat
from fleet_core.errors import (
    BrokenError,
    DeviceOfflineError,
    FleetError,
    InvalidInputError,
    RefusedError,
)
from fleet_core.messaging import KvBucket

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fleet_core.messaging import Connection, Message

_ABOUT: Final = "rights"
_ANSWER_DEADLINE_S: Final = 3.0
_GRANT: Final = "grant it to this device's user at the server"
_NO_STREAM: Final = {"Nats-Expected-Stream": "fleet-agent-check"}
_Result = TypeVar("_Result")


class Complaints:
    """What the server complained of: the only sign of a right that is missing."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._arrived = asyncio.Event()

    def take(self, text: str) -> None:
        """Take note of one."""
        self._texts.append(text)
        self._arrived.set()

    def naming(self, subject: str) -> str | None:
        """Return one that names a subject that begins so; the library may write small letters."""
        sought = f'"{subject.lower()}'
        return next((text for text in self._texts if sought in text.lower()), None)

    async def unless_refused(self, work: Awaitable[_Result], *subjects: str) -> _Result:
        """Return what the work returns, unless the server refuses one of the subjects first.

        Raises:
            RefusedError: it did; the message is the server's.
        """
        task = asyncio.ensure_future(work)
        try:
            while True:
                self._arrived.clear()
                for text in filter(None, map(self.naming, subjects)):
                    raise RefusedError(text)
                arrival = asyncio.ensure_future(self._arrived.wait())
                await asyncio.wait({task, arrival}, return_when=asyncio.FIRST_COMPLETED)
                arrival.cancel()
                if task.done():
                    return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def check_rights(
    connection: Connection, device_id: str, complaints: Complaints
) -> list[Finding]:
    """Try what the agent does all day."""
    inbox = connection.settings.inbox_prefix
    found = await asyncio.gather(
        _check_heartbeat(connection, device_id, complaints, inbox),
        _check_manifest(connection, device_id, complaints, inbox),
    )
    return [*found, *await _check_listening(connection, device_id, complaints)]


async def _check_heartbeat(
    connection: Connection, device_id: str, complaints: Complaints, inbox: str
) -> Finding:
    subject = DEVICE_HEARTBEAT.subject(heartbeat_key(device_id))
    try:
        await complaints.unless_refused(_try_heartbeat(connection, device_id), subject, inbox)
    except RefusedError as error:
        return fail(_ABOUT, f"may not send its heartbeat: {error.message}", _GRANT)
    except DeviceOfflineError:
        what = f"nobody keeps its heartbeat: no bucket {DEVICE_HEARTBEAT.name}"
        return fail(_ABOUT, what, "start the operator, which creates the buckets")
    except FleetError as error:
        return fail(_ABOUT, f"its heartbeat is not taken: {error.message}", "look at the server")
    return ok(_ABOUT, "may send its heartbeat (tried without sending one)")


async def _try_heartbeat(connection: Connection, device_id: str) -> None:
    """Have a heartbeat refused by the stream; raises FleetError where it does not get there."""
    reply = await connection.requests.request(
        DEVICE_HEARTBEAT.subject(heartbeat_key(device_id)),
        encode_heartbeat(device_id, datetime.now(UTC)),
        _ANSWER_DEADLINE_S,
        headers=_NO_STREAM,
    )
    try:
        json.loads(reply.data)
    except ValueError as error:
        raise BrokenError("what answers is not JetStream") from error


async def _check_manifest(
    connection: Connection, device_id: str, complaints: Complaints, inbox: str
) -> Finding:
    bucket = KvBucket(connection, DEVICE_MANIFEST.name)
    subject = f"$JS.API.DIRECT.GET.{DEVICE_MANIFEST.stream}"
    try:
        async with asyncio.timeout(_ANSWER_DEADLINE_S):
            reading = bucket.get(manifest_key(device_id))
            entry = await complaints.unless_refused(reading, subject, inbox)
        manifest = decode(DeviceManifest, entry.value) if entry else None
    except RefusedError as error:
        return fail(_ABOUT, f"may not read its manifest: {error.message}", _GRANT)
    except InvalidInputError as error:
        return fail(_ABOUT, f"its manifest is malformed: {error.message}", "look at the operator")
    except (TimeoutError, FleetError):
        what = f"its manifest cannot be read: no bucket {DEVICE_MANIFEST.name}, or no right to it"
        return fail(_ABOUT, what, "start the operator, which creates the buckets")
    if manifest is None:
        return ok(_ABOUT, "may read its manifest; nothing is meant for it yet")
    count = len(manifest.deployments)
    what = f"may read its manifest: {count} deployments, generation {manifest.generation}"
    return ok(_ABOUT, what)


async def _check_listening(
    connection: Connection, device_id: str, complaints: Complaints
) -> list[Finding]:
    """Subscribe to what the agent does, for a moment."""
    filters = {
        "commands": command_filter(device_id),
        "changes of its manifest": DEVICE_MANIFEST.subject(manifest_key(device_id)),
        "changes of what it should run": DESIRED_STATE.subject(desired_key(device_id, ">")),
    }
    subscriptions = [await connection.subscribe(each, _ignore) for each in filters.values()]
    try:
        # The server has complained before it answers what is sent later.
        await _try_heartbeat(connection, device_id)
    except FleetError:
        pass  # told above; where nobody answers, a complaint has come in that time too
    finally:
        for subscription in subscriptions:
            await subscription.unsubscribe()
    refused = {name: complaints.naming(subject) for name, subject in filters.items()}
    found = [
        fail(_ABOUT, f"may not listen for {name}: {text}", _GRANT)
        for name, text in refused.items()
        if text
    ]
    return found or [ok(_ABOUT, "may listen for commands and for what it should run")]


def _ignore(_message: Message) -> None:
    """Take nothing: the agent itself does."""
