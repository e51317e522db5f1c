"""Documents on disk: whole or known not to be, whatever kills the writer or damages the file."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_agent.storage.documents import (
    KEPT_ASIDE,
    read_document,
    remove_document,
    write_document,
)

if TYPE_CHECKING:
    from pathlib import Path

KIND = "test"
WRITER = """
import sys
from pathlib import Path
from fleet_agent.storage.documents import write_document
path, count = Path(sys.argv[1]), 0
while True:
    write_document(path, "test", str(count).encode() * 2_000)
    count += 1
    print(count, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "document.json"


@given(payload=st.binary(max_size=4_096))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, payload: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip" / "document.json"
    write_document(path, KIND, payload)
    assert read_document(path, KIND) == payload


def test_only_its_owner_may_read_it(path: Path) -> None:
    write_document(path, KIND, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["document.json"]


def test_absent_is_none_and_may_be_removed(path: Path) -> None:
    assert read_document(path, KIND) is None
    remove_document(path)


def test_torn_at_any_length_it_is_set_aside(path: Path) -> None:
    write_document(path, KIND, b"payload")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_document(path, KIND) is None, length
        assert not path.exists()
    assert len(list(path.parent.glob("*.damaged-*"))) == KEPT_ASIDE


def test_any_flipped_bit_is_noticed(path: Path) -> None:
    write_document(path, KIND, b"payload")
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert read_document(path, KIND) is None, place


def test_another_kind_or_version_is_not_obeyed(path: Path) -> None:
    write_document(path, "another", b"payload")
    assert read_document(path, KIND) is None
    write_document(path, KIND, b"payload")
    path.write_bytes(path.read_bytes().replace(b"fleet-agent 1 ", b"fleet-agent 2 "))
    assert read_document(path, KIND) is None


def test_a_folder_in_its_place_is_set_aside_too(path: Path) -> None:
    path.mkdir(parents=True)
    assert read_document(path, KIND) is None
    write_document(path, KIND, b"payload")
    assert read_document(path, KIND) == b"payload"


def test_killed_at_any_moment_it_leaves_a_whole_document(path: Path) -> None:
    for kill in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        written = int(writer.stdout.readline())
        time.sleep(0.004 * kill)  # another place in the loop each time
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
        writer.wait()
        writer.stdout.close()
        last = int(rest[-1]) if rest else written
        found = read_document(path, KIND)
        # The one that was told of, or the one behind it, which was not told of yet.
        assert found in {str(number).encode() * 2_000 for number in (last - 1, last)}
