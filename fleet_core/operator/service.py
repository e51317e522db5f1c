"""The operator as a program: buckets kept in being, the operator run, its readiness told."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.base import canonical_json, encode
from fleet_core.contracts.buckets import CONTROL_PLANE, HOLDER_KEY
from fleet_core.contracts.resources import HeldBy, Holder
from fleet_core.errors import CannotConnectError, FleetError, InvalidInputError
from fleet_core.messaging import KvBucket, LinkState, connect, ensure_audit_stream, ensure_buckets
from fleet_core.operator.controller import Operator, OperatorOptions
from fleet_core.operator.kv_resources import KvResourceStore
from fleet_core.operator.refusals import Refusals

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fleet_core.messaging import Connection, ConnectionSettings, LinkStatus, Message
    from fleet_core.operator.kubernetes.opening import ClusterOptions
    from fleet_core.operator.resource_store import ResourceStore

_log = logging.getLogger(__name__)

READY_SUBJECT: Final = "fleet-operator.ready"
"""Answers with `Operator.report` once everything stored has been read and acted on."""
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 5.0


async def serve(
    settings: ConnectionSettings,
    options: OperatorOptions | None = None,
    *,
    cluster: ClusterOptions | None = None,
    listen: tuple[str, int] | None = None,
) -> None:
    """Run an operator against the Deployments in NATS, or in a cluster, until cancelled.

    It waits for NATS and the cluster for as long as that takes, now and after each outage.
    ``listen`` is the host and port of its `probes`.

    Raises:
        CannotConnectError: it cannot listen there.
        InvalidInputError: there is no way to the cluster: no configuration, or a wrong one.
    """
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await connect(settings, wait=False))
        refusals = Refusals()
        store: ResourceStore = KvResourceStore(connection, refusals)
        if cluster is not None:
            from fleet_core.operator.kubernetes.opening import (  # noqa: PLC0415 - only there
                open_store,
            )

            store = await open_store(cluster, connection, refusals, stack)
        operator = Operator(connection, store, refusals=refusals, options=options)
        if listen is not None:
            await stack.enter_async_context(_probes(operator, *listen))
        async with asyncio.TaskGroup() as group:
            group.create_task(
                _keep_buckets(connection, holds=cluster is None), name="operator-buckets"
            )
            group.create_task(operator.run(), name="operator")
            group.create_task(_tell_readiness(connection, operator), name="operator-readiness")


def _probes(operator: Operator, host: str, port: int) -> AbstractAsyncContextManager[None]:
    try:
        from fleet_core.operator.probes import probes  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InvalidInputError(
            f"this installation answers no HTTP: {error}",
            remedy="pip install 'fleet-tui[operator]'",
        ) from error
    return probes(operator, host, port)


async def _keep_buckets(connection: Connection, *, holds: bool) -> None:
    """Create what is missing, at each connection: the server may have lost its store."""
    connected = asyncio.Event()

    def note(status: LinkStatus) -> None:
        if status.state is LinkState.CONNECTED:
            connected.set()
        elif status.last_error:
            _log.warning("%s", status.last_error)

    forget = connection.on_change(note)
    if connection.is_connected:
        connected.set()
    try:
        while True:
            await connected.wait()
            connected.clear()
            await _create_until_done(connection, holds=holds)
    finally:
        forget()


async def _create_until_done(connection: Connection, *, holds: bool) -> None:
    delay_s = _FIRST_DELAY_S
    while connection.is_connected:
        try:
            await ensure_buckets(connection)
            await ensure_audit_stream(connection)
            if holds:
                await _say_who_holds(connection)
        except FleetError as error:
            _log.warning("the buckets cannot be created: %s", error)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
        else:
            return


async def _say_who_holds(connection: Connection) -> None:
    """Tell everybody that the buckets hold the Deployments, and not a cluster (any more)."""
    bucket, holder = KvBucket(connection, CONTROL_PLANE.name), encode(Holder(held_by=HeldBy.NATS))
    known = await bucket.get(HOLDER_KEY)
    if known is None or known.value != holder:
        await bucket.put(HOLDER_KEY, holder)


async def _tell_readiness(connection: Connection, operator: Operator) -> None:
    """Answer on `READY_SUBJECT` for as long as the program runs."""
    asked: asyncio.Queue[str] = asyncio.Queue(maxsize=100)

    def note(message: Message) -> None:
        if message.reply and not asked.full():
            asked.put_nowait(message.reply)

    await operator.converged.wait()
    _log.info("converged: %s", operator.report())
    subscription = await connection.subscribe(READY_SUBJECT, note)
    try:
        while True:
            reply_to = await asked.get()
            try:
                await connection.publish(reply_to, canonical_json(operator.report()))
            except CannotConnectError:
                _log.debug("nobody hears that the operator is ready: the link is gone")
    finally:
        await subscription.unsubscribe()
