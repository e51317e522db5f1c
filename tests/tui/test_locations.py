"""Places in the app as they are typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.locations import Location

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
FILTER = st.sampled_from(["", "site=berlin", "not (ring=1 or a/b)", "age>10m"])


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (":devices", Location("devices")),
        ("devices /site=berlin ring=1", Location("devices", filter="site=berlin ring=1")),
        ("  device   kiosk-17 ", Location("device", "kiosk-17")),
        ("logs a,b web main", Location("logs", "a,b web main")),
        ("apply ./a/b.yaml", Location("apply", "./a/b.yaml")),
        ("/berlin", Location("", filter="berlin")),
        ("", Location("")),
        (":", Location("")),
    ],
)
def test_what_is_typed_is_read(typed: str, expected: Location) -> None:
    assert Location.parse(typed) == expected


@given(WORD, st.lists(WORD, max_size=3), FILTER)
def test_what_is_written_reads_back(view: str, words: list[str], filter_text: str) -> None:
    location = Location(view, " ".join(words), filter_text)
    assert Location.parse(str(location)) == location
