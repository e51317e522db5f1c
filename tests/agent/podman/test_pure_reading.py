"""Without podman: log files and frames of output, torn and hostile ones too."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.runtime.podman.execution import read_frames
from fleet_agent.runtime.podman.log_files import parse_log, read_log_file

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAM = st.sampled_from(["stdout", "stderr"])
TEXT = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=60)
ODD_LINES = st.lists(
    st.sampled_from(
        [b"2026-01-01T00:00:00Z", b"0001-01-01", b"9999-12-31T23:59:59-23:59", b"2026-W01"]
    )
    | st.binary(max_size=8)
    | st.sampled_from([b"stdout", b"stderr", b"P", b"F", b" ", b"\n", b""]),
    max_size=30,
).map(b" ".join)


def line(second: int, text: str | bytes, stream: str = "stdout", flag: str = "F") -> bytes:
    at = datetime.fromtimestamp(1_700_000_000 + second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    content = text if isinstance(text, bytes) else text.encode()
    return f"{at}.123456789+00:00 {stream} {flag} ".encode() + content + b"\n"


@given(st.binary() | ODD_LINES, st.booleans())
def test_no_bytes_whatever_raise(content: bytes, from_start: bool) -> None:  # noqa: FBT001 - drawn
    for each in parse_log(content, from_start=from_start):
        assert isinstance(each.at_s, float)


@given(st.lists(st.tuples(STREAM, TEXT), max_size=20), st.integers(1, 7))
def test_what_was_written_is_read_in_whatever_parts(
    written: list[tuple[str, str]], size: int
) -> None:
    content = b""
    for second, (stream, text) in enumerate(written):
        raw = text.encode()
        parts = [raw[at : at + size] for at in range(0, len(raw), size)] or [b""]
        for part in parts[:-1]:
            content += line(second, part, stream, "P")
        content += line(second, parts[-1], stream)
    found = parse_log(content)
    assert [each.text for each in found] == [text for _, text in written]
    assert [int(each.at_s) - 1_700_000_000 for each in found] == list(range(len(written)))


def test_parts_of_both_streams_do_not_mix() -> None:
    content = line(1, "out-", flag="P") + line(2, "err-", "stderr", "P")
    content += line(3, "done") + line(4, "done", "stderr") + line(5, "open", flag="P")
    assert [each.text for each in parse_log(content)] == ["out-done", "err-done", "open"]


def test_of_a_piece_the_torn_line_is_left_out_with_all_its_parts() -> None:
    content = b"torn\n" + line(1, "rest of ", flag="P") + line(2, "an error", "stderr")
    assert parse_log(content, from_start=False) == []
    content += line(3, "it") + line(4, "whole")
    assert [each.text for each in parse_log(content, from_start=False)] == ["whole"]


def test_a_large_file_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [line(number, f"{number} " + "x" * 200) for number in range(5_000)]
    path.write_bytes(b"".join(lines))
    for tail in (1, 10, 1_000, 4_999, 5_000, 9_999):
        found = read_log_file(path, tail=tail)
        first = max(0, 5_000 - tail)
        assert [int(each.text.split()[0]) for each in found] == list(range(first, 5_000)), tail
    since_s = 1_700_000_000 + 4_000.0
    assert len(read_log_file(path, tail=5_000, since_s=since_s)) == 1_000
    assert len(read_log_file(path, tail=5, since_s=since_s)) == 5
    assert read_log_file(path, tail=0) == []


@pytest.mark.parametrize("parts", [8, 100])
def test_a_line_longer_than_what_is_read_at_first_is_whole(tmp_path: Path, parts: int) -> None:
    path = tmp_path / "log"
    long = [line(1, "y" * 8_192, flag="P") for _ in range(parts)]
    path.write_bytes(b"".join([line(0, "before"), *long, line(1, "end"), line(2, "after")]))
    found = read_log_file(path, tail=2)
    assert [len(each.text) for each in found] == [parts * 8_192 + 3, 5]


@given(st.binary(max_size=2_000), st.integers(0, 5))
def test_no_file_whatever_raises(content: bytes, tail: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(content)
        assert len(read_log_file(path, tail=tail)) <= tail


def frames(written: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", *(stream, len(data))) + data for stream, data in written)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=12),
    st.integers(1, 30),
    st.integers(0, 200),
)
def test_frames_are_read_however_they_are_cut(
    written: list[tuple[int, bytes]], size: int, limit: int
) -> None:
    content = frames(written)
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    whole = {stream: b"".join(data for of, data in written if of == stream) for stream in (1, 2)}
    stdout, stderr, truncated = read_frames(chunks, limit)
    assert (stdout, stderr) == (whole[1][:limit], whole[2][:limit])
    assert truncated == any(len(data) > limit for data in whole.values())


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_stream_whatever_raises(chunks: list[bytes]) -> None:
    stdout, stderr, _ = read_frames(chunks, 16)
    assert max(len(stdout), len(stderr)) <= 16
