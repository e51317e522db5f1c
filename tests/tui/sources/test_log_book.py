"""Lines of several logs: merged by time, in the order of each device, bounded, known again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.sources.log_book import MAX_LINES, TRIM_TO, LogBook, split_stamp

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stamped(second: float, text: str) -> str:
    at = datetime.fromtimestamp(NOON.timestamp() + second, UTC)
    return f"{at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')} {text}"


def texts(book: LogBook) -> list[str]:
    return [line.text for line in book.lines]


def test_two_logs_are_merged_by_time() -> None:
    book = LogBook()
    book.add("a", [stamped(1, "a1"), stamped(3, "a3")])
    assert book.add("b", [stamped(2, "b2"), stamped(4, "b4")]) == 1
    assert texts(book) == ["a1", "b2", "a3", "b4"]


def test_what_comes_in_order_changes_nothing_before_it() -> None:
    book = LogBook()
    book.add("a", [stamped(1, "a1")])
    assert book.add("b", [stamped(1, "b1")]) == 1
    assert book.add("a", []) == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.lists(st.integers(0, 50), min_size=1, max_size=5).map(sorted)
        ),
        max_size=20,
    )
)
def test_lines_of_a_device_keep_their_order_and_all_are_in_order_of_time(
    chunks: list[tuple[str, list[int]]],
) -> None:
    book, said = LogBook(), {device: [] for device in "abc"}
    shown: list[str] = []
    for device, seconds in chunks:
        new = [f"{device}{len(said[device]) + number}" for number in range(len(seconds))]
        said[device] += new
        first = book.add(device, [stamped(at, text) for at, text in zip(seconds, new, strict=True)])
        shown[first:] = texts(book)[first:]
    assert shown == texts(book)
    for device, lines in said.items():
        assert [line.text for line in book.lines if line.device == device] == lines
    times = [line.at_s for line in book.lines]
    assert times == sorted(times)


def test_a_line_without_a_time_stands_with_the_one_before() -> None:
    book = LogBook()
    book.add("a", [stamped(1, "Traceback:"), '  File "x.py"', stamped(9, "later")])
    book.add("b", [stamped(5, "b5")])
    assert texts(book) == ["Traceback:", '  File "x.py"', "b5", "later"]


def test_lines_that_come_again_after_a_restart_are_known() -> None:
    book = LogBook()
    book.add("a", [stamped(1, "one"), stamped(2, "two"), stamped(2, "also two")])
    again = [stamped(1, "one"), stamped(2, "two"), stamped(2, "also two"), stamped(2, "new")]
    book.add("a", [*again, stamped(3, "three")], again=True)
    assert texts(book) == ["one", "two", "also two", "new", "three"]


def test_it_is_bounded_and_counts_what_it_drops() -> None:
    book = LogBook()
    book.add("a", [stamped(number, str(number)) for number in range(MAX_LINES)])
    assert book.dropped == 0
    assert book.add("a", [stamped(MAX_LINES, "last")]) == 0
    assert len(book.lines) == TRIM_TO
    assert book.dropped == MAX_LINES + 1 - TRIM_TO
    assert texts(book)[-1] == "last"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("2026-03-01T12:00:00.000Z hello", "hello"),
        ("2026-03-01T12:00:00.123456789+01:00 hello there", "hello there"),
        ("2026-03-01T12:00:00Z", ""),
    ],
)
def test_times_as_runtimes_write_them(line: str, text: str) -> None:
    at_s, stamp, rest = split_stamp(line)
    assert at_s is not None
    assert rest == text
    assert line.startswith(stamp)


@pytest.mark.parametrize("line", ["", "hello T", "99999-99-99T99 x", "T" * 100, "Time is up"])
def test_what_is_no_time_is_text(line: str) -> None:
    assert split_stamp(line) == (None, "", line)
