"""The rollout engine, decision by decision: batches, limits, failures, what people tell it."""

from __future__ import annotations

import pytest

from fleet_core.contracts.rollouts import BatchPhase, Rollout, RolloutPhase, RolloutVerb
from tests.operator.rollout_fleet import V1, V2, V3, RolloutFleet, completed, staged

CANARY = {"name": "canary", "count": 2, "soakSeconds": 60}
BATCHES = (CANARY, {"name": "half", "count": "50%"})
ENDED = (RolloutPhase.COMPLETED, RolloutPhase.ABORTED, RolloutPhase.REVERTED)


def failing(fleet: RolloutFleet, count: int) -> None:
    """Have a number of devices fail with the new version: the first that will be told."""
    for device in fleet.observed()[:count]:
        fleet.machines[device.device].fails = frozenset((V2.spec_hash,))


def test_batches_go_one_after_the_other_and_then_all_have_it() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    assert len(fleet.having(V2)) == 2
    fleet.pass_s(11)
    assert fleet.phases() == [BatchPhase.SOAKING, BatchPhase.PENDING, BatchPhase.PENDING]
    fleet.pass_s(58)
    assert len(fleet.having(V2)) == 2
    fleet.pass_s(3)
    assert len(fleet.having(V2)) == 12
    status = fleet.until(RolloutPhase.COMPLETED)
    assert len(fleet.having(V2)) == 20
    assert status.stable == V2
    assert [batch.succeeded for batch in status.batches] == [2, 10, 8]
    assert {batch.phase for batch in status.batches} == {BatchPhase.SUCCEEDED}


def test_a_batch_is_of_the_devices_that_its_selector_takes() -> None:
    ring = {"name": "inner", "selector": {"matchLabels": {"ring": "0"}}}
    fleet = RolloutFleet(9, staged(ring))
    fleet.step()
    assert {fleet.machines[device].labels["ring"] for device in fleet.having(V2)} == {"0"}
    assert len(fleet.having(V2)) == 3
    fleet.until(RolloutPhase.COMPLETED)


def test_no_more_are_unavailable_than_may_be() -> None:
    fleet = RolloutFleet(20, staged(maxUnavailable=3))
    while fleet.step().phase is RolloutPhase.PROGRESSING:
        assert len(fleet.unavailable()) <= 3
        fleet.pass_s(1)
    assert fleet.status.phase is RolloutPhase.COMPLETED


def test_no_group_has_more_unavailable_than_it_may() -> None:
    fleet = RolloutFleet(20, staged(groupBy="site", maxUnavailablePerGroup=1))
    fleet.step()
    assert len(fleet.having(V2)) == 5
    while fleet.step().phase is RolloutPhase.PROGRESSING:
        sites = [fleet.machines[device].labels["site"] for device in fleet.unavailable()]
        assert len(sites) == len(set(sites))
        fleet.pass_s(1)
    assert fleet.status.phase is RolloutPhase.COMPLETED


def test_a_batch_that_fails_pauses_the_rollout_and_says_why() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    failing(fleet, 1)
    status = fleet.until(RolloutPhase.PAUSED)
    assert status.reason == "TooManyFailures"
    assert status.message == "batch canary: 1 of 2 failed, at most 0 may"
    fleet.pass_s(1_000)
    assert len(fleet.having(V2)) == 2


def test_resumed_the_failures_so_far_are_forgiven_and_later_ones_are_not() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    failing(fleet, 1)
    fleet.until(RolloutPhase.PAUSED)
    fleet.command(RolloutVerb.RESUME)
    fleet.pass_s(5)
    assert fleet.status.phase is RolloutPhase.PROGRESSING
    other = next(d for d in fleet.having(V2) if not fleet.machines[d].fails)
    fleet.machines[other].fails = frozenset((V2.spec_hash,))
    assert fleet.until(RolloutPhase.PAUSED).batches[0].failed == 2


@pytest.mark.parametrize("on_failure", ["abort", "revert"])
def test_a_batch_that_fails_ends_the_rollout(on_failure: str) -> None:
    fleet = RolloutFleet(20, staged(*BATCHES, onFailure=on_failure))
    failing(fleet, 1)
    status = fleet.until(*ENDED)
    fleet.pass_s(100)
    if on_failure == "abort":
        assert status.phase is RolloutPhase.ABORTED
        assert len(fleet.having(V2)) == 2
    else:
        assert status.phase is RolloutPhase.REVERTED
        assert fleet.having(V1) == set(fleet.machines)
    assert status.batches[0].phase is BatchPhase.FAILED
    assert status.batches[1].phase is BatchPhase.SKIPPED


def test_as_many_may_fail_as_the_threshold_says() -> None:
    fleet = RolloutFleet(20, staged({"name": "canary", "count": 10, "errorThreshold": "20%"}))
    failing(fleet, 2)
    status = fleet.until(RolloutPhase.COMPLETED, RolloutPhase.PAUSED)
    assert status.phase is RolloutPhase.COMPLETED
    assert status.batches[0].failed == 2


def test_enough_successes_are_enough() -> None:
    fleet = RolloutFleet(10, staged({"name": "most", "count": 5, "successThreshold": "80%"}))
    slow = fleet.observed()[0].device
    fleet.machines[slow].takes_s = 500
    fleet.pass_s(12)
    assert fleet.status.batches[0].phase is BatchPhase.SUCCEEDED
    assert fleet.status.batches[0].in_flight == 1


def test_failed_devices_that_take_all_the_room_fail_the_batch_instead_of_blocking_it() -> None:
    lenient = {"name": "all", "errorThreshold": 10}
    fleet = RolloutFleet(20, staged(lenient, maxUnavailable=2))
    failing(fleet, 2)
    status = fleet.until(RolloutPhase.PAUSED)
    assert status.reason == "MaxUnavailableReached"
    fleet.command(RolloutVerb.RESUME)
    assert fleet.until(RolloutPhase.COMPLETED).batches[0].failed == 2


def test_devices_out_of_reach_hold_a_batch_until_their_deadline_and_catch_up_on_return() -> None:
    fleet = RolloutFleet(10, staged({"name": "canary", "count": 4}, deviceDeadlineSeconds=300))
    away = fleet.observed()[0].device
    fleet.machines[away].offline = True
    fleet.pass_s(200)
    assert fleet.status.batches[0].phase is BatchPhase.PROGRESSING
    assert fleet.status.batches[0].offline == 1
    status = fleet.until(RolloutPhase.COMPLETED)
    assert status.batches[0].stranded == 1
    fleet.machines[away].offline = False
    fleet.pass_s(1)
    assert fleet.machines[away].has == V2.spec_hash


def test_the_time_out_of_reach_is_not_held_against_a_device() -> None:
    fleet = RolloutFleet(4, staged(deviceDeadlineSeconds=100))
    away = fleet.machines[fleet.observed()[0].device]
    away.offline = True
    fleet.pass_s(90)
    away.offline, away.online_since, away.takes_s = False, fleet.now, 50
    fleet.pass_s(40)
    assert fleet.status.batches[0].failed == 0
    assert fleet.until(RolloutPhase.COMPLETED).batches[0].succeeded == 4


def test_a_device_that_takes_too_long_has_failed() -> None:
    fleet = RolloutFleet(4, staged(deviceDeadlineSeconds=100))
    fleet.machines[fleet.observed()[0].device].takes_s = 1_000
    assert fleet.until(RolloutPhase.PAUSED).batches[0].failed == 1


def test_paused_nobody_else_is_told() -> None:
    fleet = RolloutFleet(20, staged(maxUnavailable=2))
    fleet.pass_s(15)
    fleet.command(RolloutVerb.PAUSE)
    told = fleet.having(V2)
    fleet.pass_s(100)
    assert fleet.having(V2) == told
    assert fleet.status.reason == "PausedByUser"
    assert fleet.status.batches[0].succeeded == len(told)
    fleet.command(RolloutVerb.RESUME)
    fleet.until(RolloutPhase.COMPLETED)


def test_the_spec_can_pause_it_too() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES, paused=True))
    fleet.pass_s(5)
    assert fleet.having(V2) == set()
    assert fleet.status.reason == "PausedBySpec"
    fleet.apply(V2, staged(*BATCHES))
    fleet.until(RolloutPhase.COMPLETED)


def test_promoted_it_does_not_wait_for_the_batch() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    fleet.command(RolloutVerb.PROMOTE)
    fleet.pass_s(1)
    assert fleet.phases()[0] is BatchPhase.SKIPPED
    assert len(fleet.having(V2)) == 12
    fleet.command(RolloutVerb.PROMOTE_FULLY)
    fleet.pass_s(1)
    assert fleet.having(V2) == set(fleet.machines)
    assert fleet.until(RolloutPhase.COMPLETED).stable == V2


def test_a_batch_can_wait_for_a_person() -> None:
    fleet = RolloutFleet(20, staged({"name": "canary", "count": 2, "needsPromotion": True}))
    fleet.pass_s(500)
    assert fleet.phases()[0] is BatchPhase.AWAITING_PROMOTION
    fleet.command(RolloutVerb.PROMOTE)
    fleet.until(RolloutPhase.COMPLETED)
    assert fleet.phases() == [BatchPhase.SUCCEEDED, BatchPhase.SUCCEEDED]


def test_a_canary_that_was_skipped_before_it_began_goes_with_the_others() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES, paused=True))
    fleet.step()
    fleet.command(RolloutVerb.PROMOTE)
    fleet.apply(V2, staged(*BATCHES))
    fleet.pass_s(1)
    assert len(fleet.having(V2)) == 10
    fleet.until(RolloutPhase.COMPLETED)
    assert fleet.having(V2) == set(fleet.machines)


def test_aborted_those_that_have_it_keep_it_and_the_next_version_goes_over_both() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    canaries = fleet.having(V2)
    fleet.command(RolloutVerb.ABORT)
    fleet.pass_s(100)
    assert fleet.having(V2) == canaries
    fleet.apply(V3)
    fleet.pass_s(1)
    # The same devices are the canaries each time.
    assert fleet.having(V3) == canaries
    assert fleet.having(V1) == set(fleet.machines) - canaries
    fleet.until(RolloutPhase.COMPLETED)
    assert fleet.having(V3) == set(fleet.machines)


def test_superseded_devices_keep_what_they_had_until_they_are_told() -> None:
    wide = staged({"name": "wide", "count": 12}, {"name": "later"})
    fleet = RolloutFleet(20, wide)
    fleet.step()
    twelve = fleet.having(V2)
    assert len(twelve) == 12
    fleet.apply(V3, staged({"name": "narrow", "count": 3, "soakSeconds": 60}))
    fleet.pass_s(5)
    assert len(fleet.having(V3)) == 3
    assert fleet.having(V2) == twelve - fleet.having(V3)
    assert len(fleet.having(V1)) == 8
    fleet.until(RolloutPhase.COMPLETED)
    assert fleet.having(V3) == set(fleet.machines)
    assert fleet.status.layers == []


def test_reverted_all_have_the_version_before() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    fleet.command(RolloutVerb.REVERT)
    fleet.pass_s(5)
    assert fleet.having(V1) == set(fleet.machines)
    assert fleet.status.reason == "RevertedByUser"


def test_where_nothing_came_before_there_is_nothing_to_go_back_to() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.status = None  # type: ignore[assignment]  # a Deployment that is new
    for machine in fleet.machines.values():
        machine.told = {}
    fleet.step()
    assert len(fleet.having(V2)) == 2
    fleet.command(RolloutVerb.REVERT)
    fleet.pass_s(1)
    assert fleet.status.phase is RolloutPhase.ABORTED
    assert "no version before" in fleet.status.message


def test_a_command_counts_once_and_only_for_its_version() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    fleet.command(RolloutVerb.ABORT)
    fleet.pass_s(1)
    fleet.apply(V3)
    assert fleet.pass_s(2).phase is RolloutPhase.PROGRESSING


def test_immediately_all_are_told_whatever_went_before() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.step()
    fleet.apply(V3, Rollout())
    fleet.step()
    assert fleet.having(V3) == set(fleet.machines)
    assert fleet.status == completed(V3).model_copy(
        update={
            "started_at": fleet.now,
            "finished_at": fleet.now,
        }
    )


def test_without_devices_it_is_done_at_once() -> None:
    fleet = RolloutFleet(0, staged(*BATCHES))
    assert fleet.step().phase is RolloutPhase.COMPLETED


def test_other_batches_begin_anew_and_those_that_have_it_count_as_done() -> None:
    fleet = RolloutFleet(20, staged(*BATCHES))
    fleet.pass_s(15)
    two = fleet.having(V2)
    fleet.apply(V2, staged({"name": "five", "count": 5, "soakSeconds": 100}))
    fleet.pass_s(12)
    assert two < fleet.having(V2)
    assert len(fleet.having(V2)) == 5
    fleet.until(RolloutPhase.COMPLETED)
