"""Ages change their words seldom, unless exact ones are asked for."""

import pytest

from fleet_tui.table import age_text


@pytest.mark.parametrize(
    ("age_s", "coarse", "exact"),
    [
        (None, "\u2013", "\u2013"),
        (-3, "ok", "0s"),
        (12.7, "ok", "12s"),
        (44, "ok", "44s"),
        (45, "45s", "45s"),
        (59, "45s", "59s"),
        (61, "1m", "1m1s"),
        (599, "9m", "9m59s"),
        (600, "10m", "10m"),
        (3600, "1h", "1h"),
        (90_000, "25h", "25h"),
        (172_800, "2d", "2d"),
    ],
)
def test_ages(age_s: float | None, coarse: str, exact: str) -> None:
    assert age_text(age_s) == coarse
    assert age_text(age_s, exact=True) == exact


def test_while_heartbeats_come_the_words_never_change() -> None:
    assert {age_text(age_s) for age_s in range(45)} == {"ok"}


def test_a_slower_heartbeat_is_fresh_for_longer() -> None:
    assert [age_text(age_s, fresh_s=300) for age_s in (100, 299, 300)] == ["ok", "ok", "5m"]
