"""A rollout in words and rows, the same for the command line and the terminal UI. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.contracts.rollouts import BatchPhase, RolloutPhase
from fleet_core.operations.yaml_text import yaml_diff

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fleet_core.contracts.resources import Condition, Deployment
    from fleet_core.contracts.rollouts import BatchStatus, Revision, RevisionRef, RolloutStatus
    from fleet_core.view import DeploymentRow

STOPPED = (RolloutPhase.PAUSED, RolloutPhase.ABORTED, RolloutPhase.REVERTED)
"""Phases in which a person is wanted, or was at work."""


def phase_words(status: RolloutStatus | None) -> str:
    """Return where a rollout stands, in a few words: ``Progressing canary 1/3``."""
    if status is None:
        return ""
    words = status.phase.value
    batch = present_batch(status)
    if batch is not None and status.phase in (RolloutPhase.PROGRESSING, RolloutPhase.PAUSED):
        words += f" {batch.name} {status.released.batch + 1}/{len(status.batches)}"
    return words


def present_batch(status: RolloutStatus) -> BatchStatus | None:
    """Return the batch that is worked on, or that the rollout ended in; None after the last."""
    index = status.released.batch
    return status.batches[index] if index < len(status.batches) else None


def why(status: RolloutStatus) -> str:
    """Return why a rollout stands where it does; empty where nothing is to be said."""
    return status.message or status.reason


def soak_left_s(batch: BatchStatus, resource: Deployment, now_s: float) -> float | None:
    """Return how long a batch still soaks, in seconds; None where it does not."""
    if batch.phase is not BatchPhase.SOAKING or batch.soaking_since is None:
        return None
    asked = next((each for each in resource.spec.rollout.batches if each.name == batch.name), None)
    soak_s = asked.soak_seconds if asked is not None else 0
    return max(0.0, batch.soaking_since.timestamp() + soak_s - now_s)


def ref_words(ref: RevisionRef | None) -> str:
    """Return what names a version."""
    return f"revision {ref.number} ({ref.spec_hash})" if ref is not None else "none"


def images(revision: Revision) -> str:
    """Return the images of a version's services: what people know versions by."""
    return ", ".join(service.image for service in revision.score.data.services)


def since(moment: datetime | None, now_s: float) -> float | None:
    """Return how long ago something was, in seconds."""
    return None if moment is None else max(0.0, now_s - moment.timestamp())


def newest_first(revisions: Sequence[Revision]) -> list[Revision]:
    """Return versions by their numbers, the newest first."""
    return sorted(revisions, key=lambda revision: -revision.number)


def condition_lines(conditions: Sequence[Condition]) -> list[str]:
    """Return conditions as lines: type, status, reason, message."""
    return [
        f"{condition.type:<12} {condition.status} {condition.reason} {condition.message}".rstrip()
        for condition in conditions
    ]


def place_words(revision: Revision, row: DeploymentRow | None) -> str:
    """Return what a version is now: ``applied``, ``before`` (devices run it), or nothing."""
    if row is None:
        return ""
    if row.spec_hash == revision.spec_hash:
        return "applied"
    rollout = row.status.rollout
    stable = rollout.stable if rollout is not None else None
    return "before" if stable is not None and stable.spec_hash == revision.spec_hash else ""


def revision_diff(revision: Revision, resource: Deployment) -> tuple[str, ...]:
    """Return what going back to a version would change of the score that is applied."""
    present = resource.spec.score.model_dump(mode="json", by_alias=True)
    earlier = revision.score.model_dump(mode="json", by_alias=True)
    return yaml_diff(present, earlier, f"{resource.metadata.namespace}/{resource.metadata.name}")
