"""What was typed before: recalled in order, kept in a file, and harmless when the file is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_tui.history import KEPT_LINES, LINE_MAX_CHARS, History, state_directory

if TYPE_CHECKING:
    from pathlib import Path


def filled(*lines: str) -> History:
    history = History()
    for line in lines:
        history.add(line)
    return history


def test_up_and_down_walk_and_give_the_draft_back() -> None:
    history = filled("first", "second")
    assert history.recall(-1, "dra") == "second"
    assert history.recall(-1, "second") == "first"
    assert history.recall(-1, "first") is None
    assert history.recall(1, "first") == "second"
    assert history.recall(1, "second") == "dra"
    assert history.recall(1, "dra") is None


def test_a_repeated_line_moves_to_the_end() -> None:
    assert filled("a", "b", " a ", "").lines == ["b", "a"]


def test_it_is_bounded() -> None:
    history = filled(*(str(number) for number in range(KEPT_LINES + 5)), "x" * 5_000)
    assert len(history.lines) == KEPT_LINES
    assert history.lines[-1] == "x" * LINE_MAX_CHARS


def test_the_next_session_knows_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "commands"
    History(path).add("devices /site=berlin")
    again = History(path)
    assert again.lines == ["devices /site=berlin"]
    assert again.recall(-1, "") == "devices /site=berlin"


def test_escapes_in_the_file_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "commands"
    path.write_bytes(b"good\n\x1b]52;c;AAAA\x07\n\xff\xfe\x00\n")
    assert History(path).lines == ["good"]


def test_a_file_that_cannot_be_written_costs_nothing_but_the_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    history = History(tmp_path / "taken" / "commands")
    history.add("devices")
    assert history.lines == ["devices"]


def test_a_relative_state_directory_is_ignored(tmp_path: Path) -> None:
    assert state_directory({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "fleet"
    assert state_directory({"XDG_STATE_HOME": "here"}).is_absolute()
