"""Columns get their minimum, share what is left over, and scroll where even that is too much."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.table.source import Column
from fleet_tui.table.widths import GAP, fit_columns, lay_out
from tests.tui.table.sample import COLUMNS

columns = st.lists(
    st.builds(
        lambda minimum, flex, extra: Column("c", "C", minimum, flex, minimum + extra),
        st.integers(1, 30),
        st.integers(0, 4),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=12,
)


def taken(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


@given(columns, st.integers(80, 300))
def test_widths_stay_within_their_rules_and_the_line(
    given_columns: list[Column], width: int
) -> None:
    widths = fit_columns(given_columns, width)
    for column, got in zip(given_columns, widths, strict=True):
        assert column.min_width <= got
        assert got <= column.max_width
        if column.flex == 0:
            assert got == column.min_width
    minimum = taken([column.min_width for column in given_columns])
    assert taken(widths) <= max(width, minimum)


@given(columns, st.integers(80, 300))
def test_all_room_is_used_while_a_flexible_column_can_take_it(
    given_columns: list[Column], width: int
) -> None:
    widths = fit_columns(given_columns, width)
    hungry = [
        column
        for column, got in zip(given_columns, widths, strict=True)
        if column.flex and got < column.max_width
    ]
    if hungry and taken([column.min_width for column in given_columns]) <= width:
        assert taken(widths) == width


def test_what_is_left_over_is_shared_by_weight() -> None:
    narrow = Column("a", "A", 10, flex=1)
    wide = Column("b", "B", 10, flex=3)
    assert fit_columns((narrow, wide), 61) == [20, 40]


@given(columns, st.integers(1, 300), st.integers(-2, 20))
def test_the_first_column_stays_and_no_line_is_overfull(
    given_columns: list[Column], width: int, offset: int
) -> None:
    layout = lay_out(given_columns, width, offset)
    assert layout.shown[0][0] == 0
    if given_columns[0].min_width <= width:
        assert taken([shown for _, shown in layout.shown]) <= width
    assert 0 <= layout.max_offset < max(len(given_columns), 1)


@given(columns, st.integers(40, 300))
def test_scrolling_to_the_end_shows_the_last_column_whole(
    given_columns: list[Column], width: int
) -> None:
    layout = lay_out(given_columns, width, 99)
    widths = fit_columns(given_columns, width)
    if widths[0] + GAP + widths[-1] <= width:
        assert layout.shown[-1] == (len(widths) - 1, widths[-1])
        assert not layout.more_right


def test_where_all_fits_there_is_nothing_to_scroll() -> None:
    layout = lay_out(COLUMNS, 120, 3)
    assert [index for index, _ in layout.shown] == list(range(len(COLUMNS)))
    assert (layout.max_offset, layout.more_left, layout.more_right) == (0, False, False)


def test_a_table_without_columns_shows_nothing() -> None:
    assert lay_out((), 80, 0).shown == ()
