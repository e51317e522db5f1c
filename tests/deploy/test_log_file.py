"""Log files of local programs: tails that are safe to show, and a bound on their size."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fleet_core.deploy.log_file import TAIL_LINES, LogFile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "program.log")


def write(log: LogFile, text: bytes) -> None:
    descriptor = log.open()
    os.write(descriptor, text)
    os.close(descriptor)


def test_nothing_written_is_an_empty_tail(log: LogFile) -> None:
    assert log.tail() == []
    log.bound()
    write(log, b"")
    assert log.tail() == []


def test_the_tail_is_the_last_lines_and_inert_in_a_terminal(log: LogFile) -> None:
    write(log, b"".join(b"line %d\n" % number for number in range(100)))
    write(log, b"\x1b[31mred \xff\n")
    tail = log.tail()
    assert len(tail) == TAIL_LINES
    assert tail[-2] == "line 99"
    assert "\x1b" not in tail[-1]
    assert tail[-1].endswith("red \N{REPLACEMENT CHARACTER}")


def test_a_log_is_for_its_owner_alone(log: LogFile) -> None:
    write(log, b"x")
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_outgrew_its_limit_keeps_its_end_and_the_program_goes_on(log: LogFile) -> None:
    descriptor = log.open()
    os.write(descriptor, b"old\n" * 1_000 + b"newest\n")
    log.bound(limit_bytes=4_000, kept_bytes=11)
    os.write(descriptor, b"after\n")
    os.close(descriptor)
    assert log.path.read_bytes() == b"old\nnewest\nafter\n"


def test_a_log_within_its_limit_is_left_alone(log: LogFile) -> None:
    write(log, b"12345")
    log.bound(limit_bytes=5, kept_bytes=1)
    assert log.path.read_bytes() == b"12345"
