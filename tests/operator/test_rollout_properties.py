"""What holds of every rollout, whatever the fleet, the batches, the failures and the people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.rollouts import (
    BatchPhase,
    Rollout,
    RolloutPhase,
    RolloutStatus,
    RolloutVerb,
)
from fleet_core.contracts.shares import at_most
from fleet_core.operator.rollouts.engine import step
from fleet_core.operator.rollouts.membership import all_batches
from tests.operator.rollout_fleet import V1, V2, V3, RolloutFleet

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = (BatchPhase.SUCCEEDED, BatchPhase.SKIPPED)
shares = st.one_of(st.integers(1, 8), st.integers(1, 100).map(lambda number: f"{number}%"))
selectors = st.sampled_from([None, {"matchLabels": {"ring": "0"}}, {"matchLabels": {"site": "s1"}}])


@st.composite
def rollouts(draw: Callable[..., Any]) -> Rollout:
    """Any staged rollout that is no nonsense."""
    batches = [
        {
            "name": f"b{number}",
            "selector": draw(selectors),
            "count": draw(shares),
            "soakSeconds": draw(st.sampled_from([0, 0, 7])),
            "errorThreshold": draw(st.one_of(st.integers(0, 3), st.just("20%"))),
            "successThreshold": draw(st.sampled_from(["50%", "100%"])),
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    value = {
        "strategy": "Staged",
        "batches": batches,
        "maxUnavailable": draw(shares),
        "groupBy": draw(st.sampled_from([None, "site"])),
        "maxUnavailablePerGroup": draw(st.sampled_from([1, 2, "50%"])),
        "deviceDeadlineSeconds": 40,
        "onFailure": draw(st.sampled_from(["pause", "abort", "revert"])),
    }
    return Rollout.model_validate(value, strict=False)


@st.composite
def fleets(draw: Callable[..., Any]) -> RolloutFleet:
    """A fleet in which some devices fail, some are slow and some are out of reach."""
    fleet = RolloutFleet(draw(st.integers(0, 16)), draw(rollouts()))
    for machine in fleet.machines.values():
        machine.takes_s = draw(st.sampled_from([2, 5, 5, 60]))
        machine.offline = draw(st.sampled_from([False, False, False, True]))
        if draw(st.sampled_from([False, False, False, True])):
            machine.fails = frozenset((V2.spec_hash,))
    return fleet


some = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@some
@given(fleets())
def test_never_more_unavailable_than_may_be_and_no_batch_before_its_turn(
    fleet: RolloutFleet,
) -> None:
    rollout = fleet.order.rollout
    limit = max(1, at_most(rollout.max_unavailable, len(fleet.machines)))
    for _ in range(120):
        before = fleet.status.model_copy()
        status = fleet.step()
        if status.phase is RolloutPhase.PROGRESSING:
            assert len(fleet.unavailable()) <= limit
            index = status.released.batch
            assert all(batch.phase in DONE for batch in status.batches[:index])
            assert all(batch.phase is BatchPhase.PENDING for batch in status.batches[index + 1 :])
        if before.update == status.update and before.batches:
            for old, new in zip(before.batches, status.batches, strict=True):
                assert old.phase not in DONE or old == new, "a finished batch stays as it ended"
        fleet.pass_s(1)


@some
@given(fleets())
def test_an_operator_that_comes_in_between_decides_the_same(fleet: RolloutFleet) -> None:
    for _ in range(40):
        seen, now = fleet.observed(), fleet.now
        status = fleet.step()
        read = decode(RolloutStatus, encode(status))
        # Nothing was acted on yet, so what is seen is as before: deciding again changes nothing.
        assert step(read, fleet.order, seen, now) == status
        fleet.pass_s(1)


@some
@given(fleets())
def test_every_rollout_comes_to_an_end_or_waits_for_a_person(fleet: RolloutFleet) -> None:
    fleet.pass_s(2_000, every_s=5)
    assert fleet.status.phase is not RolloutPhase.PROGRESSING
    if fleet.status.phase is RolloutPhase.COMPLETED:
        assert fleet.having(V2) == set(fleet.machines)
    if fleet.status.phase is RolloutPhase.REVERTED:
        assert fleet.having(V1) == set(fleet.machines)


@some
@given(fleets(), st.lists(st.tuples(st.integers(0, 30), st.sampled_from(RolloutVerb)), max_size=6))
def test_whatever_people_say_no_device_is_without_a_version_and_none_gets_one_twice(
    fleet: RolloutFleet, words: list[tuple[int, RolloutVerb]]
) -> None:
    for wait_s, verb in words:
        fleet.pass_s(wait_s)
        had = fleet.having(V2)
        fleet.command(verb)
        fleet.pass_s(1)
        if fleet.status.phase is not RolloutPhase.REVERTED:
            assert had <= fleet.having(V2)
        assert fleet.having(V1) | fleet.having(V2) == set(fleet.machines)


@some
@given(fleets(), rollouts(), st.integers(0, 60))
def test_a_version_that_supersedes_another_ends_with_everybody(
    fleet: RolloutFleet, other: Rollout, after_s: int
) -> None:
    fleet.pass_s(after_s)
    fleet.apply(V3, other)
    fleet.step()
    assert fleet.having(V1) | fleet.having(V2) | fleet.having(V3) == set(fleet.machines)
    for machine in fleet.machines.values():
        machine.fails = frozenset()
        machine.takes_s = 2
    for _ in range(4):
        fleet.pass_s(600, every_s=5)
        fleet.command(RolloutVerb.RESUME)
    assert fleet.status.phase is RolloutPhase.COMPLETED
    assert fleet.having(V3) == set(fleet.machines)


@given(rollouts())
def test_the_last_batch_takes_all_that_are_left(rollout: Rollout) -> None:
    last = all_batches(rollout)[-1]
    assert last.selector is None
    assert last.count is None
    assert decode(Rollout, encode(rollout)) == rollout
