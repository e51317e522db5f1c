"""Where there is no terminal to draw on, the program says so in one sentence and exits with 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.terminal import REPOSITORY, Terminal, terminal_environment

SAMPLE = [sys.executable, "-m", "tests.tui.terminal.sample_app"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"TERM": ""}, {"TERM": "dumb"}],
    ids=["usual", "no-term", "dumb"],
)
def test_without_a_terminal_it_exits_2_at_once(environ: dict[str, str]) -> None:
    ended = subprocess.run(
        SAMPLE,
        input=b"",
        capture_output=True,
        env=terminal_environment(**environ),
        cwd=REPOSITORY,
        timeout=5,
        check=False,
    )
    said = ended.stderr.decode()
    assert ended.returncode == 2
    assert said.count("\n") == 1
    assert "standard input is no terminal" in said
    assert "fleet get devices" in said
    assert ended.stdout == b""


@pytest.mark.parametrize(("term", "said"), [("", "TERM is not set"), ("dumb", "TERM is 'dumb'")])
def test_on_a_terminal_that_cannot_draw_it_exits_2(term: str, said: str) -> None:
    with Terminal(SAMPLE, env=terminal_environment(TERM=term), columns=200) as terminal:
        terminal.wait_for(said)
        assert terminal.wait_exit() == 2
        assert "\x1b" not in terminal.text()


def test_with_output_to_a_file_it_exits_2(tmp_path: Path) -> None:
    command = ["sh", "-c", f'"$@" > {tmp_path}/out', "sh", *SAMPLE]
    with Terminal(command, columns=200) as terminal:
        terminal.wait_for("standard output is no terminal")
        assert terminal.wait_exit() == 2
        assert (tmp_path / "out").read_bytes() == b""
