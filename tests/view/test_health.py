"""Health follows the age of the evidence, with patience, and never the device's own clock."""

from __future__ import annotations

import pytest

from fleet_core.view import Health, coarse_age, health
from tests.view.fleets import NOW_S, FedView


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [(0, Health.ONLINE), (75, Health.ONLINE), (76, Health.STALE), (301, Health.OFFLINE)],
)
def test_thresholds_are_multiples_of_the_interval(age_s: float, expected: Health) -> None:
    assert health(age_s, 30, None, Health.ONLINE) is expected
    assert health(age_s / 30, 1, None, Health.ONLINE) is expected


def test_a_link_that_drops_every_other_heartbeat_does_not_flap() -> None:
    assert health(0, 30, 100, Health.STALE) is Health.STALE
    assert health(0, 30, 30, Health.STALE) is Health.ONLINE
    assert health(0, 30, 100, Health.ONLINE) is Health.ONLINE


def test_a_silent_device_goes_stale_then_offline_and_comes_back() -> None:
    fed = FedView()
    fed.beat("van-1")
    fed.synced()
    view, slot = fed.view, fed.slot("van-1")
    seen = []
    for age_s in (0, 74, 76, 299, 301):
        view.tick(NOW_S + age_s)
        seen.append(Health(view.devices.health[slot]))
    assert seen == [Health.ONLINE, Health.ONLINE, Health.STALE, Health.STALE, Health.OFFLINE]
    fed.beat("van-1", NOW_S + 400)
    view.tick(NOW_S + 400)
    assert view.devices.health[slot] == Health.STALE
    fed.beat("van-1", NOW_S + 430)
    view.tick(NOW_S + 430)
    assert view.devices.health[slot] == Health.ONLINE
    assert view.health_counts[Health.ONLINE] == 1
    assert sum(view.health_counts.values()) == 1


def test_a_manifest_sets_the_interval() -> None:
    fed = FedView()
    fed.manifest("van-1", interval_s=2)
    fed.beat("van-1")
    fed.view.tick(NOW_S + 6)
    assert fed.view.devices.health[fed.slot("van-1")] == Health.STALE


def test_a_wrong_clock_here_does_not_turn_the_fleet_offline() -> None:
    fed = FedView()
    fed.synced()
    fed.beat("van-1")
    fed.view.tick(NOW_S + 3_600)
    assert fed.view.devices.health[fed.slot("van-1")] == Health.ONLINE
    fed.view.tick(NOW_S + 3_600 + 301)
    assert fed.view.devices.health[fed.slot("van-1")] == Health.OFFLINE


def test_old_heartbeats_of_a_snapshot_say_nothing_of_this_clock() -> None:
    fed = FedView()
    fed.beat("van-1", NOW_S - 10_000)
    fed.synced()
    fed.view.tick(NOW_S)
    fed.view.tick(NOW_S + 1)
    assert fed.view.devices.health[fed.slot("van-1")] == Health.OFFLINE


def test_values_replayed_after_an_outage_do_not_raise_the_dead() -> None:
    fed = FedView()
    fed.synced()
    fed.view.tick(NOW_S)
    for handler in fed.handlers.values():
        handler.on_stale("link lost")
    fed.beat("van-1", NOW_S - 3_600)
    fed.synced()
    fed.view.tick(NOW_S + 1)
    assert fed.view.devices.health[fed.slot("van-1")] == Health.OFFLINE
    assert fed.view.now_s == NOW_S + 1


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "ok"),
        (44.9, "ok"),
        (45, "45s"),
        (59, "45s"),
        (60, "1m"),
        (3_599, "59m"),
        (3_600, "1h"),
        (2 * 86_400 - 1, "47h"),
        (2 * 86_400, "2d"),
    ],
)
def test_ages_are_coarse(age_s: float | None, text: str) -> None:
    assert coarse_age(age_s) == text
