"""What devices write is shown as text, and does nothing to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.text import clip_utf8, printable, printable_lines


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", "\N{REPLACEMENT CHARACTER}[2Jgone"),
        ("a\nb\tc", "a b c"),
        ("\u202eevil", "\N{REPLACEMENT CHARACTER}evil"),
        ("\x9b31m", "\N{REPLACEMENT CHARACTER}31m"),
        ("[bold red]markup[/]", "[bold red]markup[/]"),
        ("grüße 你好", "grüße 你好"),
    ],
)
def test_what_a_terminal_would_obey_is_replaced(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_any_text_comes_out_printable_and_bounded(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


@given(st.text(), st.integers(min_value=1, max_value=5))
def test_the_last_lines_are_kept(text: str, limit: int) -> None:
    lines = printable_lines(text, limit_lines=limit)
    assert len(lines) <= limit
    assert all(line.isprintable() for line in lines)


def test_lines_end_as_the_log_does() -> None:
    assert printable_lines("one\r\ntwo\n\nfour\n", limit_lines=3) == ["two", "", "four"]


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(min_value=0, max_value=20))
def test_clipping_keeps_the_end_within_the_bytes(text: str, limit: int) -> None:
    clipped = clip_utf8(text, limit)
    assert text.endswith(clipped)
    assert len(clipped.encode()) <= limit
    assert len(clipped.encode()) > min(limit, len(text.encode())) - 4
