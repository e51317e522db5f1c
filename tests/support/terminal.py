"""A terminal in memory: runs a real program on a pty and reads what it draws."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_LAST_BYTES = 8_192
REPOSITORY = Path(__file__).parents[2]
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR")


def terminal_environment(**changes: str) -> dict[str, str]:
    """Return an environment for a program on a 256-colour terminal, free of this one's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return (
        kept
        | {"TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8"}
        | changes
    )


def wait_until(predicate: Callable[[], object], *, timeout_s: float = 5.0) -> None:
    """Return as soon as the predicate holds; for tests without an event loop.

    Raises:
        AssertionError: it did not hold in time.
    """
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not hold within {timeout_s} s: {predicate}")
        time.sleep(0.01)


class Terminal:
    """A program on a pty, its screen, and a reader that can stop reading as a stalled link does."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.received_bytes = 0
        self.last_bytes = b""
        """The end of what the program wrote, as bytes: pyte knows no alternate screen."""
        self._stream = pyte.ByteStream(self.screen)
        self._changed = threading.Condition()
        self._reading = threading.Event()
        self._reading.set()
        self._ended = threading.Event()
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.modes_at_start = termios.tcgetattr(slave)
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(terminal_environment() if env is None else env),
            cwd=REPOSITORY,
            pass_fds=pass_fds,
            start_new_session=True,
            # The pty must be the controlling terminal, or nobody gets a SIGHUP.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 -- one ioctl
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, name="terminal-reader")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def text(self) -> str:
        """Return what is on the screen, without the blanks at the ends of lines."""
        with self._changed:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def wait_for(
        self, what: str | Callable[[str], bool], *, timeout_s: float = 8.0, message: str = ""
    ) -> str:
        """Return the screen as soon as it shows a text, or meets a predicate.

        Raises:
            AssertionError: it did not in time; the message shows the screen.
        """
        met = (lambda text: what in text) if isinstance(what, str) else what
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not met(text := "\n".join(line.rstrip() for line in self.screen.display)):
                left = deadline - time.monotonic()
                if left <= 0 or self._ended.is_set():
                    wanted = message or repr(what)
                    raise AssertionError(f"never on the screen: {wanted}\n{text}")
                self._changed.wait(min(left, 0.2))
        return text

    def stall(self) -> None:
        """Stop reading what the program draws, as a frozen link does."""
        self._reading.clear()

    def resume(self) -> None:
        """Read again."""
        self._reading.set()

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the terminal; the program gets a SIGWINCH."""
        with self._changed:
            self.screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def modes(self) -> list[object]:
        """Return the terminal's line settings (echo, line buffering…), as `termios` has them."""
        return termios.tcgetattr(self._master)

    def hang_up(self) -> None:
        """Go away: the program gets a SIGHUP, and its terminal is dead."""
        if not self._ended.is_set():
            self._ended.set()
            self._reading.set()
            self._reader.join()
            os.close(self._master)

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def wait_exit(self, timeout_s: float = 5.0) -> int:
        """Return the program's exit code."""
        return self.process.wait(timeout_s)

    def _read(self) -> None:
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        while not self._ended.is_set():
            if not self._reading.wait(0.1) or not poller.poll(50):
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                # The program has ended: there is nothing more to read.
                break
            with self._changed:
                self.received_bytes += len(data)
                self.last_bytes = (self.last_bytes + data)[-_LAST_BYTES:]
                self._stream.feed(data)
                self._changed.notify_all()
