"""``fleet-tui`` as people start it: on a real terminal, on a server that comes and goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.terminal import REPOSITORY, Terminal, terminal_environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.nats_server import NatsServer

PROGRAM = [sys.executable, "-m", "fleet_tui"]
DEVICES = 20
pytestmark = pytest.mark.timeout(60)


@contextmanager
def feeding(url: str) -> Iterator[None]:
    """Fill the server with devices that send heartbeats."""
    command = [sys.executable, "-m", "tests.bench.tui_feed", url, str(DEVICES), "20"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as feed:
        assert feed.stdout is not None
        assert feed.stdout.readline() == b"loaded\n"
        try:
            yield
        finally:
            feed.terminate()
            feed.communicate()


@contextmanager
def started(
    tmp_path: Path, *arguments: str, columns: int = 160, lines: int = 40
) -> Iterator[Terminal]:
    """Run the program with a home of its own."""
    env = terminal_environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / "config"))
    argv = [*PROGRAM, *arguments]
    with Terminal(argv, columns=columns, lines=lines, env=env) as terminal:
        yield terminal


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=env or terminal_environment(),
        cwd=REPOSITORY,
        timeout=20,
        check=False,
    )


def test_help_needs_no_terminal_and_little_time() -> None:
    before = os.times()
    ended = run("--help")
    after = os.times()
    assert ended.returncode == 0
    assert "--demo" in ended.stdout
    used_s = after.children_user + after.children_system
    assert used_s - before.children_user - before.children_system < 0.3


def test_version() -> None:
    ended = run("--version")
    assert ended.returncode == 0
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert ended.stdout == f"fleet-tui {project['version']}\n"


@pytest.mark.parametrize("arguments", [[], ["--demo"], ["--nats", "nats://127.0.0.1:1"]])
def test_without_a_terminal_it_says_so_and_starts_nothing(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("fleet-tui: standard input is no terminal")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nats", "http://somewhere"], "fleet-tui: "),
        (["--context", "nowhere"], "nowhere"),
        (["--demo", "0"], "expected 1 to"),
        (["--nats", "a", "--demo"], "not allowed with"),
        ([], "fleet-tui: "),
    ],
)
def test_wrong_use_is_told_in_a_sentence_and_exits_2(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    with started(tmp_path, *arguments) as terminal:
        terminal.wait_for(told)
        assert terminal.wait_exit() == 2
        assert "Traceback" not in terminal.text()


def test_it_shows_the_fleet_and_takes_keys(nats_server: NatsServer, tmp_path: Path) -> None:
    with feeding(nats_server.url), started(tmp_path, "--nats", nats_server.url) as terminal:
        terminal.wait_for("20 devices  ● 20 online")
        terminal.send("/berlin\rjj")
        terminal.wait_for("5 of 20")
        terminal.send(":sort seen\r")
        terminal.wait_for("sort seen")
        terminal.send(":q\r")
        assert terminal.wait_exit() == 0
        assert b"Traceback" not in terminal.last_bytes
    kept = tmp_path / ".local" / "state" / "fleet"
    assert (kept / "filters").read_text() == "berlin\n"


def test_a_link_to_hand_to_a_colleague(nats_server: NatsServer, tmp_path: Path) -> None:
    link = ["-c", ":devices /site=berlin", "--read-only"]
    with feeding(nats_server.url), started(tmp_path, "--nats", nats_server.url, *link) as terminal:
        terminal.wait_for("5 of 20")
        text = terminal.wait_for("read-only")
        assert "/site=berlin" in text
        terminal.send(":redeploy web\r")
        terminal.wait_for(lambda text: "read-only" in text.splitlines()[-1])


def test_a_session_for_others_leaves_no_files(nats_server: NatsServer, tmp_path: Path) -> None:
    with feeding(nats_server.url):
        before = {path for path in tmp_path.rglob("*") if "store" not in str(path)}
        with started(tmp_path, "--nats", nats_server.url, "--ssh") as terminal:
            terminal.wait_for("20 devices")
            terminal.send("/berlin\r")
            terminal.wait_for("5 of 20")
            terminal.send(":apply /etc/passwd\r")
            terminal.wait_for("this session reads no files")
            terminal.send("\x03")
            assert terminal.wait_exit() == 0
        after = {path for path in tmp_path.rglob("*") if "store" not in str(path)}
    assert after == before


def test_a_server_that_comes_later_goes_and_comes_back(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    nats_server.stop()
    with started(tmp_path, "--nats", nats_server.url) as terminal:
        terminal.wait_for(lambda text: "○ nats" in text and nats_server.url in text)
        nats_server.start()
        with feeding(nats_server.url):
            terminal.wait_for("20 devices  ● 20 online", timeout_s=20)
        nats_server.stop()
        text = terminal.wait_for("○ nats reconnecting", timeout_s=10)
        assert "berlin-kiosk-000000" in text
        nats_server.start()
        with feeding(nats_server.url):
            terminal.wait_for(
                lambda text: "● nats" in text and "● 20 online" in text and "old" not in text,
                timeout_s=20,
            )
        terminal.send("\x03")
        assert terminal.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_usual_code(
    nats_server: NatsServer, tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path, "--nats", nats_server.url) as terminal:
        terminal.wait_for("● nats")
        terminal.signal(number)
        assert terminal.wait_exit() == 128 + number
        wait_until(lambda: b"\x1b[?1049l" in terminal.last_bytes)


def test_a_hang_up_ends_it(nats_server: NatsServer, tmp_path: Path) -> None:
    with started(tmp_path, "--nats", nats_server.url) as terminal:
        terminal.wait_for("● nats")
        terminal.hang_up()
        assert terminal.wait_exit() == 128 + signal.SIGHUP


def test_the_demo_comes_up_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with started(tmp_path, "--demo", "8") as terminal:
        terminal.wait_for("8 devices  ●", timeout_s=40)
        children = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(children) >= 4
        terminal.send(":q\r")
        assert terminal.wait_exit(20) == 0
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive
