"""The strip of heartbeats: what came, what did not, and what nobody looked at."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.sources.heartbeat_strip import KEPT, HeartbeatStrip

INTERVAL_S = 30.0


def after(*beats_s: float, until_s: float) -> str:
    """Return the strip of somebody who looks every second while these heartbeats come."""
    strip, text = HeartbeatStrip(), ""
    for second in range(int(beats_s[0]), int(until_s) + 1):
        seen_s = max(beat for beat in beats_s if beat <= second)
        text = strip.look(float(second), seen_s, INTERVAL_S)
    return text


def test_each_heartbeat_is_a_mark() -> None:
    assert after(1_000, 1_030, 1_060, until_s=1_080) == "▮▮▮"


def test_small_delays_are_no_gaps() -> None:
    assert after(1_000, 1_035, 1_058, 1_097, until_s=1_100) == "▮▮▮▮"


def test_what_should_have_come_between_two_is_missing() -> None:
    assert after(1_000, 1_090, until_s=1_091) == "▮··▮"


def test_silence_grows_while_one_looks_and_stays_as_a_gap() -> None:
    assert after(1_000, until_s=1_040) == "▮"
    assert after(1_000, until_s=1_046) == "▮·"
    assert after(1_000, until_s=1_100) == "▮···"


def test_a_device_that_was_never_heard_of_has_no_strip() -> None:
    assert HeartbeatStrip().look(1_000.0, 0.0, INTERVAL_S) == ""


def test_who_looked_away_starts_anew() -> None:
    strip = HeartbeatStrip()
    strip.look(1_000.0, 1_000.0, INTERVAL_S)
    strip.look(1_020.0, 1_000.0, INTERVAL_S)
    assert strip.look(9_000.0, 8_990.0, INTERVAL_S) == "▮"


@given(st.lists(st.floats(0.5, 5_000), max_size=60))
def test_it_never_grows_beyond_its_place(steps: list[float]) -> None:
    strip, now_s, seen_s = HeartbeatStrip(), 1_000.0, 1_000.0
    for number, step in enumerate(steps):
        now_s += step
        if number % 2:
            seen_s = now_s
        assert len(strip.look(now_s, seen_s, INTERVAL_S)) <= KEPT
