"""What happened between two statuses, in words that people look for."""

from __future__ import annotations

from typing import Any

from fleet_core.contracts.resources import Aggregate, Condition, DeploymentStatus
from fleet_core.contracts.rollouts import (
    BatchPhase,
    BatchStatus,
    RevisionRef,
    RolloutPhase,
    RolloutStatus,
)
from fleet_core.operator.happenings import Happening, happenings

ONE = RevisionRef(number=1, spec_hash="1" * 16)
TWO = RevisionRef(number=2, spec_hash="2" * 16)


def status(
    phase: RolloutPhase = RolloutPhase.PROGRESSING,
    *,
    canary: BatchPhase = BatchPhase.PENDING,
    update: RevisionRef = TWO,
    degraded: tuple[str, str] | None = None,
    failed: int = 0,
    **more: Any,
) -> DeploymentStatus:
    batches = [
        BatchStatus(name="canary", phase=canary, total=2, succeeded=2 - failed, failed=failed),
        BatchStatus(name="rest", total=8),
    ]
    conditions = []
    if degraded is not None:
        reason, message = degraded
        conditions = [Condition(type="Degraded", status="True", reason=reason, message=message)]
    return DeploymentStatus(
        aggregate=Aggregate(matched_device_count=10, failed=failed),
        conditions=conditions,
        rollout=RolloutStatus(phase=phase, update=update, batches=batches, **more),
    )


def reasons(before: DeploymentStatus | None, after: DeploymentStatus) -> list[tuple[str, bool]]:
    return [(each.reason, each.is_warning) for each in happenings(before, after)]


def test_the_same_again_is_no_news() -> None:
    stands = status(canary=BatchPhase.SUCCEEDED, degraded=("InvalidSpec", "no image"))
    assert happenings(stands, stands) == []


def test_a_rollout_from_its_start_to_its_end() -> None:
    done = status(RolloutPhase.COMPLETED, canary=BatchPhase.SUCCEEDED, update=ONE)
    started = status()
    (told,) = happenings(done, started)
    assert told == Happening("RolloutStarted", f"revision 2 ({TWO.spec_hash}), 2 batches")
    after_canary = status(canary=BatchPhase.SUCCEEDED)
    (told,) = happenings(started, after_canary)
    assert told == Happening("BatchSucceeded", "batch canary: 2 of 2 devices run it")
    ended = status(RolloutPhase.COMPLETED, canary=BatchPhase.SUCCEEDED)
    assert reasons(after_canary, ended) == [("RolloutCompleted", False)]


def test_a_failed_batch_pauses_and_that_is_a_warning() -> None:
    paused = status(
        RolloutPhase.PAUSED,
        canary=BatchPhase.FAILED,
        failed=1,
        reason="BatchFailed",
        message="1 of 2 devices failed",
    )
    told = happenings(status(), paused)
    assert [(each.reason, each.is_warning) for each in told] == [
        ("BatchFailed", True),
        ("RolloutPaused", True),
    ]
    assert told[0].message == "batch canary: 1 of 2 devices run it, 1 failed"
    assert told[1].message == f"revision 2 ({TWO.spec_hash}): 1 of 2 devices failed"
    assert reasons(paused, status(canary=BatchPhase.FAILED)) == [("RolloutResumed", False)]


def test_a_pause_that_somebody_wanted_is_none() -> None:
    paused = status(RolloutPhase.PAUSED, reason="PausedByUser")
    assert reasons(status(), paused) == [("RolloutPaused", False)]


def test_aborted_and_reverted() -> None:
    assert reasons(status(), status(RolloutPhase.ABORTED)) == [("RolloutAborted", True)]
    assert reasons(status(), status(RolloutPhase.REVERTED)) == [("RolloutReverted", True)]


def test_a_change_for_all_at_once_is_told_as_that() -> None:
    before = status(RolloutPhase.COMPLETED, update=ONE)
    assert reasons(before, status(RolloutPhase.COMPLETED)) == [("Updated", False)]
    assert reasons(None, status(RolloutPhase.COMPLETED)) == [("Updated", False)]


def test_what_degrades_is_told_once_and_again_when_it_is_another() -> None:
    well = status(RolloutPhase.COMPLETED)
    refused = status(RolloutPhase.COMPLETED, degraded=("InvalidSpec", "no image"))
    other = status(RolloutPhase.COMPLETED, degraded=("InvalidSpec", "no name"))
    assert reasons(well, refused) == [("InvalidSpec", True)]
    assert reasons(refused, other) == [("InvalidSpec", True)]
    assert reasons(other, well) == []
    failing = status(RolloutPhase.COMPLETED, degraded=("DevicesFailing", ""), failed=2)
    (told,) = happenings(well, failing)
    assert told.message == "2 of 10 devices fail"
