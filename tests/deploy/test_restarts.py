"""When a program that ended is started again."""

from __future__ import annotations

import pytest

from fleet_core.deploy.restarts import (
    MAX_DELAY_S,
    MAX_EXITS,
    WINDOW_S,
    describe_exit,
    restart_delay_s,
)


def test_the_first_restart_comes_at_once_and_later_ones_ever_later() -> None:
    delays = [restart_delay_s([100.0] * exits, now_s=100.0) for exits in range(1, MAX_EXITS + 1)]
    assert delays == [0.0, 0.25, 0.5, 1.0, None]
    assert max(delay for delay in delays if delay is not None) <= MAX_DELAY_S


def test_ends_of_long_ago_are_forgotten() -> None:
    long_ago = [0.0] * MAX_EXITS
    assert restart_delay_s(long_ago, now_s=WINDOW_S - 0.001) is None
    assert restart_delay_s([*long_ago, WINDOW_S], now_s=WINDOW_S) == 0.0


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal 9 (SIGKILL)"), (-99, "signal 99")],
)
def test_an_exit_is_told_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words
