"""The app on a real pty: keys, odd bytes, a stalled reader, signals, a hang-up, the way out."""

import contextlib
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, terminal_environment, wait_until
from tests.tui.terminal.sample_screen import STUCK_AT_TICK

SAMPLE = [sys.executable, "-m", "tests.tui.terminal.sample_app"]
END_WITHIN_S = 4.0
pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(SAMPLE, columns=100, lines=20) as running:
        running.wait_for("tick=2")
        yield running


class Ticks:
    """What the program's event loop counts, told past its terminal."""

    def __init__(self) -> None:
        self._reads_from, self.fd = os.pipe()
        os.set_blocking(self._reads_from, False)
        self._last = 0

    def last(self) -> int:
        """Return the newest tick."""
        with contextlib.suppress(BlockingIOError):
            while told := os.read(self._reads_from, 65536):
                self._last = int(told.split()[-1])
        return self._last

    def close(self) -> None:
        os.close(self._reads_from)
        os.close(self.fd)


@pytest.fixture
def ticks() -> Iterator[Ticks]:
    counting = Ticks()
    yield counting
    counting.close()


def children_cpu_s() -> float:
    """Return the CPU time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def shown_tick(text: str) -> int:
    found = re.search(r"tick=(\d+)", text)
    return int(found[1]) if found else 0


def test_keys_arrive_and_are_painted(terminal: Terminal) -> None:
    terminal.send("j")
    terminal.wait_for("cursor=device-00001")
    terminal.send("\x1b[B")
    text = terminal.wait_for("cursor=device-00002")
    assert "▸  device-00002" in text


@pytest.mark.parametrize(
    "odd",
    [b"\x1b[M \xe3\xa9", b"\xff\xfe\x80\xc3", b"\x1b[99999999999u", b"\x1b[M", b"\x00" * 3],
    ids=["x10-mouse", "no-utf8", "no-such-key", "half-a-mouse", "nul"],
)
def test_odd_bytes_do_not_end_it(terminal: Terminal, odd: bytes) -> None:
    terminal.send(odd)
    # A key in the same read as what cannot be parsed may be lost with it: type until it is seen.
    for _ in range(40):
        terminal.send("j")
        with contextlib.suppress(AssertionError):
            terminal.wait_for("cursor=device-00001", timeout_s=0.2)
            break
    terminal.send("q")
    assert terminal.wait_exit() == 0


def test_it_leaves_the_terminal_as_it_found_it(terminal: Terminal) -> None:
    assert terminal.modes() != terminal.modes_at_start
    terminal.send("q")
    assert terminal.wait_exit() == 0
    wait_until(lambda: b"\x1b[?1049l" in terminal.last_bytes)
    for ended in (b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1003l", b"\x1b[<u"):
        assert ended in terminal.last_bytes
    assert b"Traceback" not in terminal.last_bytes
    assert terminal.modes() == terminal.modes_at_start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_with_the_usual_code(terminal: Terminal, number: signal.Signals) -> None:
    terminal.signal(number)
    assert terminal.wait_exit(END_WITHIN_S) == 128 + number


def test_a_hang_up_ends_it_soon_and_without_spinning(terminal: Terminal) -> None:
    used_before = children_cpu_s()
    hung_up_at = time.monotonic()
    terminal.hang_up()
    assert terminal.wait_exit(END_WITHIN_S) == 128 + signal.SIGHUP
    elapsed_s = time.monotonic() - hung_up_at
    lived_s = time.monotonic() - terminal.started_at
    assert elapsed_s < END_WITHIN_S
    assert children_cpu_s() - used_before < 0.7 * lived_s + 0.5


def test_a_hang_up_ends_it_even_if_it_was_started_to_ignore_them() -> None:
    command = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *SAMPLE]
    with Terminal(command, columns=100, lines=20) as terminal:
        terminal.wait_for("tick=2")
        terminal.hang_up()
        assert terminal.wait_exit(END_WITHIN_S) == 128 + signal.SIGHUP


def test_even_a_stuck_event_loop_ends_in_time() -> None:
    def stuck(ticks: Ticks) -> Terminal:
        command = [*SAMPLE, "--stuck", "--ticks-fd", str(ticks.fd)]
        return Terminal(command, columns=100, lines=20, pass_fds=[ticks.fd])

    with (
        contextlib.closing(Ticks()) as first,
        contextlib.closing(Ticks()) as second,
        stuck(first) as signalled,
        stuck(second) as hung_up,
    ):
        wait_until(lambda: first.last() == second.last() == STUCK_AT_TICK)
        signalled.signal(signal.SIGTERM)
        hung_up.hang_up()
        assert signalled.wait_exit(END_WITHIN_S) == 128 + signal.SIGTERM
        assert hung_up.wait_exit(END_WITHIN_S) == 128 + signal.SIGHUP
        wait_until(lambda: b"\x1b[?1049l" in signalled.last_bytes)
        assert signalled.modes() == signalled.modes_at_start


def test_a_stalled_terminal_stops_nothing_and_shows_the_newest_when_it_recovers(
    ticks: Ticks,
) -> None:
    command = [*SAMPLE, "--hz", "60", "--ticks-fd", str(ticks.fd)]
    with Terminal(command, columns=200, lines=50, pass_fds=[ticks.fd]) as terminal:
        terminal.wait_for("tick=5")
        terminal.stall()
        stalled_at = ticks.last()
        wait_until(lambda: ticks.last() > stalled_at + 50, timeout_s=8)
        resumed_at = ticks.last()
        terminal.resume()
        text = terminal.wait_for(lambda text: shown_tick(text) >= resumed_at, timeout_s=3)
        dropped = re.search(r"dropped=(\d+)\.", text)
        assert dropped is not None
        assert int(dropped[1]) > 15
        notes = set(re.findall(r"device-\d+ +(\d+) busy", text))
        assert len(notes) <= 2, "lines of old frames were left standing"
        terminal.send("j")
        terminal.wait_for("cursor=device-00001")


def test_a_stalled_terminal_does_not_hold_up_the_end(ticks: Ticks) -> None:
    command = [*SAMPLE, "--hz", "60", "--ticks-fd", str(ticks.fd)]
    with Terminal(command, columns=200, lines=50, pass_fds=[ticks.fd]) as terminal:
        terminal.wait_for("tick=5")
        terminal.stall()
        stalled_at = ticks.last()
        wait_until(lambda: ticks.last() > stalled_at + 15)
        terminal.signal(signal.SIGTERM)
        assert terminal.wait_exit(END_WITHIN_S) == 128 + signal.SIGTERM


def test_errors_may_go_to_a_file_while_it_draws(tmp_path: Path) -> None:
    command = ["sh", "-c", f'exec "$@" 2> {tmp_path}/errors', "sh", *SAMPLE]
    with Terminal(command, columns=100, lines=20) as terminal:
        terminal.wait_for("tick=3")
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert (tmp_path / "errors").read_bytes() == b""


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({}, True), ({"SSH_CONNECTION": "a 1 b 22"}, False), ({"SSH_TTY": "/dev/pts/1"}, False)],
    ids=["local", "ssh-connection", "ssh-tty"],
)
def test_the_mouse_is_left_to_the_person_over_ssh(environ: dict[str, str], wanted: bool) -> None:  # noqa: FBT001 -- a case
    with Terminal(SAMPLE, env=terminal_environment(**environ)) as terminal:
        terminal.wait_for("tick=2")
        reports_mouse = (1003 << 5) in terminal.screen.mode
        assert reports_mouse is wanted


def test_a_new_size_is_taken(terminal: Terminal) -> None:
    terminal.resize(60, 10)
    terminal.wait_for(lambda text: text.rstrip().splitlines()[-1].startswith("tick="))
    text = terminal.wait_for(lambda text: "busy…" in text or "bus…" in text or "…" in text)
    assert max(map(len, text.splitlines())) <= 60
