"""The kubelet's back-off: at once, then 10 s doubling to 300 s, forgotten after ten minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.reconcile.back_off import MAX_DELAY_S, RESET_AFTER_S, BackOff, delay_s


@pytest.mark.parametrize(
    ("ends", "seconds"),
    [(0, 0), (1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 300), (8, 300), (99, 300)],
)
def test_the_delays_are_the_kubelets(ends: int, seconds: float) -> None:
    assert delay_s(ends) == seconds


def test_ten_minutes_of_clean_running_forget_what_was() -> None:
    back_off = BackOff()
    for _ in range(6):
        back_off = back_off.after_end(1_000.0, ran_for_s=1.0)
    assert back_off.remaining_s(1_000.0) == 160
    assert back_off.after_end(2_000.0, ran_for_s=RESET_AFTER_S).remaining_s(2_000.0) == 0


@given(st.lists(st.floats(0, 2_000), max_size=40), st.floats(0, 1e6))
def test_the_wait_is_never_negative_nor_beyond_its_cap(runs: list[float], now_s: float) -> None:
    back_off = BackOff()
    for ran_for_s in runs:
        back_off = back_off.after_end(now_s, ran_for_s)
        assert 0 <= back_off.remaining_s(now_s) <= MAX_DELAY_S
