"""Who is offline, by the server's receive time and never by a device's clock."""

from __future__ import annotations

from fleet_core.operator.liveness import Liveness
from fleet_core.view.health import OFFLINE_AFTER
from tests.operator.fleets import NOW_S

SILENCE_S = OFFLINE_AFTER * 30


def fresh(now_s: float = NOW_S) -> Liveness:
    liveness = Liveness(30)
    liveness.tick(now_s)
    return liveness


def test_a_device_is_online_from_its_heartbeat_until_it_was_silent_for_too_long() -> None:
    liveness = fresh()
    assert not liveness.is_online("a")
    assert liveness.heard("a", NOW_S, live=True)
    assert not liveness.heard("a", NOW_S + 1, live=True)
    assert liveness.tick(NOW_S + 1) == []
    assert liveness.tick(NOW_S + 1 + SILENCE_S - 1) == []
    assert liveness.tick(NOW_S + 1 + SILENCE_S + 1) == ["a"]
    assert not liveness.is_online("a")
    assert liveness.heard("a", NOW_S + 2 * SILENCE_S, live=True)


def test_old_heartbeats_of_a_snapshot_bring_nobody_online() -> None:
    liveness = fresh()
    assert not liveness.heard("a", NOW_S - SILENCE_S - 1, live=False)
    assert liveness.heard("b", NOW_S - SILENCE_S + 1, live=False)
    assert liveness.tick(NOW_S + 2) == ["b"]


def test_a_clock_that_is_wrong_is_told_by_live_heartbeats() -> None:
    hour_s = 3_600.0
    liveness = fresh(NOW_S - hour_s)
    liveness.heard("a", NOW_S, live=True)
    assert liveness.tick(NOW_S - hour_s) == []
    assert liveness.is_online("a")
    assert liveness.tick(NOW_S - hour_s + SILENCE_S + 1) == ["a"]


def test_forgetting_and_hearing_again_does_not_pile_up() -> None:
    liveness = fresh()
    for round_ in range(1_000):
        liveness.heard("a", NOW_S + round_, live=False)
        assert liveness.forget("a")
    assert not liveness.forget("a")
    assert len(liveness._due) == 1
