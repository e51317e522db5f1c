"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.errors import InvalidInputError
from fleet_core.operations.durations import duration_text, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7_200), ("3d", 259_200), ("45", 45)]
)
def test_what_people_write(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1.5h", "-3s", "10 m", "1w", "٣s", "9" * 12])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no duration"):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_what_is_shown_is_never_more_than_what_it_is_and_at_least_half(seconds: int) -> None:
    shown = parse_duration(duration_text(seconds))
    assert shown <= seconds
    assert shown > seconds / 2 or seconds == shown
