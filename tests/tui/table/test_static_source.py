"""A short list as a source: what was given is shown, and its version tells changes of order."""

from fleet_tui.table import Sort, StaticSource
from tests.tui.table.sample import COLUMNS

CELLS = [("x", "text")] * len(COLUMNS)


def test_rows_are_found_by_their_keys() -> None:
    source = StaticSource(COLUMNS)
    source.replace([("a", CELLS), ("b", CELLS)])
    assert [source.key(row) for row in source.rows] == ["a", "b"]
    assert source.row("b") == 1
    assert source.row("c") is None


def test_of_equal_keys_the_first_counts() -> None:
    source = StaticSource(COLUMNS)
    source.replace([("a", [("first", "text")]), ("a", [("second", "text")])])
    assert [source.cells(row) for row in source.rows] == [(("first", "text"),)]


def test_the_version_changes_with_the_order_and_the_fingerprint_with_the_cells() -> None:
    source = StaticSource(COLUMNS)
    source.replace([("a", CELLS), ("b", CELLS)])
    version, fingerprint = source.version, source.fingerprint(0)
    source.replace([("a", [("y", "text")]), ("b", CELLS)])
    assert source.version == version
    assert source.fingerprint(0) != fingerprint
    source.replace([("b", CELLS), ("a", CELLS)])
    assert source.version != version
    version = source.version
    source.replace([("b", CELLS), ("a", CELLS)], sort=Sort("device"))
    assert source.version != version
