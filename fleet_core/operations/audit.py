"""The audit trail: one acknowledged record for each operation that changed the fleet.

An operation starts only when the audit stream is there (it is created if it is not), so that
nothing is changed that could not be recorded. Its record is appended when it ends, whatever way it
ends. If the link is lost in between, the append is tried again for some seconds; a record that is
lost all the same is told to the user as an error, and written to the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.audit import AuditRecord
from fleet_core.contracts.base import encode
from fleet_core.contracts.buckets import audit_subject
from fleet_core.contracts.text import printable
from fleet_core.errors import BrokenError, FleetError, RefusedError, RetryLaterError
from fleet_core.messaging import ensure_audit_stream
from fleet_core.messaging.jetstream import checked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.plans import Plan, TargetResult

_log = logging.getLogger(__name__)

APPEND_TIMEOUT_S: Final = 10.0
"""How long an append is tried: a cluster that lost its leader takes writes again after 4 to 7 s."""
_ATTEMPT_TIMEOUT_S: Final = 2.0
_RETRY_DELAY_S: Final = 0.25
_MESSAGE_ID_HEADER: Final = "Nats-Msg-Id"
"""The server drops a second append of the same id within two minutes."""


class AuditUnavailableError(RefusedError):
    """No audit record can be written, so nothing was changed."""


class AuditLostError(BrokenError):
    """The operation was done, and its audit record could not be written."""


@dataclass(slots=True)
class Tally:
    """Counts of results."""

    succeeded: int = 0
    failed: int = 0
    offline: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """What results said for the record, and how many of them."""

    def count(self, result: TargetResult) -> None:
        """Count one result; an offline device is not counted as failed."""
        if result.outcome:
            self.outcomes[result.outcome] += 1
        if result.ok:
            self.succeeded += 1
        elif result.kind == "offline":
            self.offline += 1
        else:
            self.failed += 1

    @property
    def result(self) -> str:
        """The word of the audit record for an operation that came to its end."""
        bad = self.failed + self.offline
        return "ok" if not bad else "partial" if self.succeeded else "failed"

    @property
    def detail(self) -> str:
        """The outcomes, those of most targets first: ``exit code 0 on 3, exit code 1 on 1``."""
        if self.outcomes.total() == 1:
            return next(iter(self.outcomes))
        return ", ".join(f"{outcome} on {count}" for outcome, count in self.outcomes.most_common())


def actor() -> str:
    """Return who this is: the account of this process, and the host; sudo's caller is named."""
    uid = os.getuid()
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid {uid}"
    caller = os.environ.get("SUDO_USER", "")
    if uid == 0 and caller:
        account = f"{caller} as {account}"
    return printable(f"{account}@{socket.gethostname()}", 256)


async def audited(
    fleet: LiveFleet, plan: Plan, results: AsyncGenerator[TargetResult, None]
) -> AsyncGenerator[TargetResult, None]:
    """Pass results on, and append the record when they end; raises as `Operation.run`."""
    fleet.context.refuse_if_read_only(plan.operation)
    await _see_that_it_is_there(fleet)
    tally = Tally()
    ended, detail = "cancelled", "stopped before all results were in"
    try:
        async with aclosing(results):
            async for result in results:
                tally.count(result)
                yield result
        ended, detail = tally.result, tally.detail
    except FleetError as error:
        ended, detail = "failed" if not tally.succeeded else "partial", str(error)
        raise
    finally:
        await _append(fleet, _record(plan, tally, ended, detail))


async def _see_that_it_is_there(fleet: LiveFleet) -> None:
    try:
        await ensure_audit_stream(fleet.connection)
    except FleetError as error:
        raise AuditUnavailableError(
            f"nothing was changed, since no audit record could be written: {error.message}",
            remedy="see that the audit stream can be reached",
        ) from error


def _record(plan: Plan, tally: Tally, ended: str, detail: str) -> AuditRecord:
    return AuditRecord(
        id=plan.id,
        at=datetime.now(UTC),
        actor=actor(),
        operation=plan.operation,
        target=printable(plan.audit_target or ", ".join(plan.targets), 1_024),
        matched=len(plan.devices),
        succeeded=tally.succeeded,
        failed=tally.failed,
        offline=tally.offline,
        command=printable(plan.command, 4_096),
        result=ended,
        detail=printable(detail, 1_024),
    )


async def _append(fleet: LiveFleet, record: AuditRecord) -> None:
    subject, payload = audit_subject(record.operation), encode(record)
    deadline = time.monotonic() + APPEND_TIMEOUT_S
    while True:
        try:
            reply = await fleet.requests.request(
                subject, payload, _ATTEMPT_TIMEOUT_S, headers={_MESSAGE_ID_HEADER: record.id}
            )
            checked(reply.data)
        except FleetError as error:
            if not isinstance(error, RetryLaterError) or time.monotonic() > deadline:
                _log.error("audit record lost: %s", payload.decode())
                raise AuditLostError(
                    f"the operation was done, but its audit record was lost: {error.message}",
                    remedy="the record is in this program's log",
                ) from error
            await asyncio.sleep(_RETRY_DELAY_S)
        else:
            return
