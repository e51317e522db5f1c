"""Whatever bytes a terminal sends become text, and no mouse report reads as keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from fleet_tui.terminal.input_bytes import InputDecoder

X10_CLICK = b"\x1b[M \xe3\xa9"
"""A click far to the right: its column and row are no UTF-8."""


def keys(*pieces: bytes) -> list[str]:
    """Return the keys that Textual reads from pieces of input."""
    decoder = InputDecoder()
    parser = XTermParser()
    found = [event for piece in pieces for event in parser.feed(decoder.decode(piece))]
    return [event.key for event in found if isinstance(event, events.Key)]


def test_text_passes_through_even_where_a_character_is_split() -> None:
    decoder = InputDecoder()
    assert [decoder.decode(piece) for piece in ("é".encode()[:1], "é".encode()[1:], b"x")] == [
        "",
        "é",
        "x",
    ]


@pytest.mark.parametrize("cut", range(len(X10_CLICK) + 1))
def test_a_mouse_report_is_no_key_wherever_it_is_cut(cut: int) -> None:
    assert keys(b"j" + X10_CLICK[:cut], X10_CLICK[cut:] + b"k") == ["j", "k"]


@pytest.mark.parametrize("column", [ord("q"), ord("r"), 0x04, 0x1B, 0x80, 0xFF])
def test_its_coordinates_are_never_keys(column: int) -> None:
    assert keys(b"\x1b[M" + bytes([0x20, column, column]) + b"j") == ["j"]


def test_other_sequences_are_left_as_they_are() -> None:
    assert keys(b"\x1b[A", b"\x1b[5~", b"\x1b[<0;3;4M", b"\x1b[<0;3;4m") == ["up", "pageup"]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_input_at_all_raises_or_is_held_back(pieces: list[bytes]) -> None:
    decoder = InputDecoder()
    length = sum(len(decoder.decode(piece)) for piece in pieces)
    assert length <= sum(map(len, pieces))
    assert decoder.decode(b"\x00\x00\x00" + b"done").endswith("done")
