"""A cell fills exactly its width and can do nothing to the terminal; equal styles are one run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from fleet_tui.table.lines import LineBuilder, fit_text
from fleet_tui.table.source import Align


@given(st.text(max_size=80), st.integers(1, 40), st.sampled_from(["left", "right"]))
def test_any_text_fills_exactly_its_cells_and_is_inert(text: str, width: int, align: Align) -> None:
    fitted = fit_text(text, width, align)
    assert cell_len(fitted) == width
    assert fitted.isprintable()


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("abc", "abc   "),
        ("abcdefgh", "abcde…"),
        ("\x1b[31mred", "�[31m…"),
        ("a\nb", "a b   "),
        ("\u202egnp.exe", "�gnp.…"),
        ("日本語", "日本語"),
        ("日本語版", "日本 …"),
        ("[b]x[/b]", "[b]x[…"),
        ("❤\ufe0fx", "❤x    "),
    ],
)
def test_text_is_cut_padded_and_defused(text: str, fitted: str) -> None:
    assert fit_text(text, 6) == fitted


def test_numbers_stand_to_the_right() -> None:
    assert fit_text("42", 5, "right") == "   42"


def test_stacked_accents_are_bounded() -> None:
    assert len(fit_text("a" + "\u0301" * 10_000, 5)) < 5 * 5


def test_no_width_shows_nothing() -> None:
    assert fit_text("abc", 0) == ""


def test_neighbours_of_one_style_are_one_segment_and_blanks_join_them() -> None:
    red, green, blue = Style(color="red"), Style(color="green"), Style(color="blue")
    line = LineBuilder()
    line.add(" ", blue, 1)
    line.add("a", red, 1)
    line.add("  ", green, 2)
    line.add("b", red, 1)
    line.add("c", green, 1)
    assert [(segment.text, segment.style) for segment in line.segments(blue)] == [
        (" a  b", red),
        ("c", green),
    ]
    assert line.width == 6


def test_a_line_of_blanks_is_one_segment_of_the_blank_style() -> None:
    red, blue = Style(color="red"), Style(color="blue")
    line = LineBuilder()
    line.add(" ", red, 1)
    line.add("   ", red, 3)
    assert [(segment.text, segment.style) for segment in line.segments(blue)] == [("    ", blue)]
    assert LineBuilder().segments(blue) == []
