"""The cursor stands on a key: wherever the key goes, the cursor is there."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.table.cursor import Cursor
from tests.tui.table.sample import SampleSource

SOURCE_ROWS = 12


def standing_on(source: SampleSource, position: int) -> Cursor:
    cursor = Cursor()
    cursor.chosen = True
    cursor.move_to(source, position)
    return cursor


@given(st.integers(0, SOURCE_ROWS - 1), st.permutations(range(SOURCE_ROWS)))
def test_it_follows_its_key_through_every_order(position: int, order: list[int]) -> None:
    source = SampleSource(SOURCE_ROWS)
    cursor = standing_on(source, position)
    key = cursor.key
    source.reorder(order)
    cursor.follow(source)
    assert cursor.key == key
    assert source.key(source.rows[cursor.position]) == key


@given(st.integers(0, SOURCE_ROWS - 1), st.sets(st.integers(0, SOURCE_ROWS - 1), min_size=1))
def test_it_takes_the_place_of_a_key_that_vanished(position: int, left: set[int]) -> None:
    source = SampleSource(SOURCE_ROWS)
    cursor = standing_on(source, position)
    source.reorder(sorted(left))
    cursor.follow(source)
    assert source.key(source.rows[cursor.position]) == cursor.key
    if position not in left:
        assert cursor.position == min(position, len(left) - 1)


def test_until_it_is_moved_it_stays_on_the_first_line() -> None:
    source = SampleSource(3)
    cursor = Cursor()
    cursor.follow(source)
    source.reorder([2, 1, 0])
    cursor.follow(source)
    assert (cursor.position, cursor.key) == (0, source.names[2])


def test_a_resync_that_empties_the_table_does_not_lose_it() -> None:
    source = SampleSource(3)
    cursor = standing_on(source, 1)
    source.reorder([])
    cursor.follow(source)
    source.reorder([0, 1, 2])
    cursor.follow(source)
    assert (cursor.position, cursor.key) == (1, source.names[1])
