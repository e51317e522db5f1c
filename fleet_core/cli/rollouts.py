"""``fleet rollout status`` and ``history``: how far a rollout is, and which versions there were."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from fleet_core.cli import exit_codes
from fleet_core.cli.output import Output, table
from fleet_core.cli.sessions import opened
from fleet_core.contracts.rollouts import RolloutPhase
from fleet_core.errors import NotFoundError, RetryLaterError
from fleet_core.operations.buckets import ROLLOUT_BUCKETS
from fleet_core.operations.durations import duration_text
from fleet_core.operations.reports import deployment_record
from fleet_core.operations.rollouts.undo import chosen_revision
from fleet_core.operations.rollouts.words import (
    STOPPED,
    images,
    newest_first,
    phase_words,
    place_words,
    ref_words,
    revision_diff,
    since,
    soak_left_s,
    why,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from fleet_core.contracts.resources import Deployment
    from fleet_core.contracts.rollouts import BatchStatus, Revision, RolloutStatus
    from fleet_core.operations.live import LiveFleet
    from fleet_core.view import DeploymentRow

BATCH_HEADERS: Final = (
    *("BATCH", "PHASE", "DEVICES", "OK", "FAILED", "IN FLIGHT", "OFFLINE", "STRANDED"),
    *("SINCE", "SOAK LEFT"),
)
HISTORY_HEADERS: Final = ("REVISION", "SPEC", "AGE", "NOW", "IMAGES")
_POLL_S: Final = 0.25
_ENDED: Final = (RolloutPhase.COMPLETED, *STOPPED)


async def status(options: argparse.Namespace) -> int:
    """Show a rollout; with ``--watch`` until it has ended or waits for a person."""
    async with opened(options, ROLLOUT_BUCKETS) as fleet:
        row = _row(fleet, options)
        if options.watch:
            row = await _watched(fleet, options)
        if options.output in ("json", "yaml"):
            _record(row, options.output)
        elif not options.watch:
            Output().lines(rollout_lines(row, time.time()))
    rollout = row.status.rollout
    stopped = rollout is not None and rollout.phase in STOPPED
    return exit_codes.FAILED if stopped else exit_codes.OK


async def history(options: argparse.Namespace) -> int:
    """List the versions that are kept, or what is different in one of them."""
    async with opened(options, ROLLOUT_BUCKETS) as fleet:
        row = _row(fleet, options)
        known = fleet.view.revisions.get((row.namespace, row.name), {})
    revisions = newest_first(list(known.values()))
    output = Output()
    if options.revision is not None:
        chosen = chosen_revision(revisions, row.spec_hash, options.revision)
        output.lines(revision_diff(chosen, row.resource))
    elif options.output in ("json", "yaml"):
        records = [each.model_dump(mode="json", by_alias=True) for each in revisions]
        (output.json if options.output == "json" else output.yaml)(records)
    else:
        rows = [_history_row(each, row, time.time()) for each in revisions]
        output.lines(table(HISTORY_HEADERS, rows))
    return exit_codes.OK


def _row(fleet: LiveFleet, options: argparse.Namespace) -> DeploymentRow:
    row = fleet.view.deployments.get((options.namespace, options.deployment))
    if row is None:
        raise NotFoundError(
            f"there is no deployment {options.namespace}/{options.deployment}",
            remedy="fleet get deployments lists them",
        )
    return row


async def _watched(fleet: LiveFleet, options: argparse.Namespace) -> DeploymentRow:
    """Print a line whenever the rollout is another one, until it has ended or is stopped."""
    output, last = Output(), ""
    while True:
        row = _row(fleet, options)
        rollout = row.status.rollout
        up_to_date = rollout is not None and rollout.update.spec_hash == row.spec_hash
        line = watch_line(rollout) if rollout is not None and up_to_date else "not taken up yet"
        if line != last and options.output not in ("json", "yaml"):
            output.lines([line])
            last = line
        if output.reader_is_gone() or (
            rollout is not None and up_to_date and rollout.phase in _ENDED
        ):
            return row
        if fleet.stale_because:
            raise RetryLaterError(f"the link is gone: {fleet.stale_because}")
        await asyncio.sleep(_POLL_S)


def watch_line(rollout: RolloutStatus) -> str:
    """Return a rollout in one line."""
    index = min(rollout.released.batch, max(0, len(rollout.batches) - 1))
    words = [phase_words(rollout)]
    if rollout.batches:
        batch = rollout.batches[index]
        words.append(f"{batch.phase.value}: {batch.succeeded} of {batch.total} ok")
        counts = (
            ("failed", batch.failed),
            ("in flight", batch.in_flight),
            ("offline", batch.offline),
            ("stranded", batch.stranded),
        )
        words += [f"{count} {name}" for name, count in counts if count]
    return "  ".join([*words, why(rollout)]).rstrip()


def rollout_lines(row: DeploymentRow, now_s: float) -> list[str]:
    """Return a rollout as a person reads it."""
    return list(_lines(row, now_s))


def _lines(row: DeploymentRow, now_s: float) -> Iterator[str]:
    yield f"{'Deployment:':<14} {row.namespace}/{row.name}"
    rollout = row.status.rollout
    if rollout is None:
        yield f"{'Rollout:':<14} the operator has not taken it up yet"
        return
    yield f"{'Rollout:':<14} {phase_words(rollout)}"
    if why(rollout):
        yield f"{'Because:':<14} {why(rollout)}"
    yield f"{'Version:':<14} {ref_words(rollout.update)}"
    if rollout.stable != rollout.update:
        yield f"{'Before:':<14} {ref_words(rollout.stable)}"
    for condition in row.status.conditions:
        words = f"{condition.status} {condition.reason} {condition.message}".rstrip()
        yield f"{condition.type + ':':<14} {words}"
    if rollout.batches:
        yield ""
        batches = [_batch_row(batch, row.resource, now_s) for batch in rollout.batches]
        yield from table(BATCH_HEADERS, batches)


def _batch_row(batch: BatchStatus, resource: Deployment, now_s: float) -> tuple[str, ...]:
    age_s = since(batch.finished_at or batch.soaking_since or batch.started_at, now_s)
    left_s = soak_left_s(batch, resource, now_s)
    counts = (batch.total, batch.succeeded, batch.failed, batch.in_flight, batch.offline)
    return (
        batch.name,
        batch.phase.value,
        *map(str, (*counts, batch.stranded)),
        duration_text(age_s) if age_s is not None else "-",
        duration_text(left_s) if left_s is not None else "-",
    )


def _history_row(revision: Revision, row: DeploymentRow, now_s: float) -> tuple[str, ...]:
    return (
        str(revision.number),
        revision.spec_hash,
        duration_text(max(0.0, now_s - revision.created_at.timestamp())),
        place_words(revision, row) or "-",
        images(revision),
    )


def _record(row: DeploymentRow, form: str) -> None:
    output = Output()
    if form == "json":
        output.json(deployment_record(row))
    else:
        output.yaml([deployment_record(row)])
