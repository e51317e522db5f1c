"""The stages of an operator, and what is told of them."""

from __future__ import annotations

import pytest

from fleet_core.operator.recovery import Recovery, Stage, stage_of


@pytest.mark.parametrize(
    ("synced", "may_write", "busy", "stage"),
    [
        (False, True, True, Stage.RECOVERING),
        (False, False, False, Stage.RECOVERING),
        (True, False, True, Stage.STANDBY),
        (True, True, True, Stage.CONVERGING),
        (True, True, False, Stage.CONVERGED),
    ],
)
def test_stages(*, synced: bool, may_write: bool, busy: bool, stage: Stage) -> None:
    assert stage_of(synced=synced, may_write=may_write, busy=busy) is stage


def test_the_way_to_converged_is_told_once_with_the_time_it_took() -> None:
    recovery = Recovery(since_s=100.0)
    assert recovery.note(Stage.RECOVERING, 100.5) == ""
    assert recovery.note(Stage.CONVERGING, 101.0) == ""
    assert recovery.note(Stage.CONVERGED, 102.5) == "Recovering → Converged after 2.5 s"
    assert recovery.converged_after_s == 2.5
    # Everyday work.
    assert recovery.note(Stage.CONVERGING, 110.0) == ""
    assert recovery.note(Stage.CONVERGED, 111.0) == ""
    assert recovery.converged_after_s == 2.5


def test_an_outage_begins_anew() -> None:
    recovery = Recovery()
    recovery.note(Stage.CONVERGED, 1.0)
    assert recovery.note(Stage.RECOVERING, 50.0) == "Converged → Recovering"
    assert recovery.converged_after_s is None
    assert recovery.note(Stage.CONVERGED, 53.0) == "Recovering → Converged after 3.0 s"


def test_taking_over_is_told() -> None:
    recovery = Recovery()
    assert recovery.note(Stage.STANDBY, 1.0) == "Recovering → Standby"
    assert recovery.note(Stage.CONVERGING, 9.0) == "Standby → Converging"
    assert recovery.note(Stage.CONVERGED, 9.5) == "Recovering → Converged after 9.5 s"
