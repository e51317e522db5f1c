"""The terminal as something to write to that can be given up on."""

from __future__ import annotations

import io
import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_MS = 100
"""How often a write that waits for the terminal looks whether it shall give up."""


class TerminalOutput(io.TextIOBase):
    """Writes text to a terminal from the writer thread, and counts what it has written.

    It writes through an open file description of its own, made non-blocking: the one that standard
    output has is shared with the shell, which would not survive that.
    """

    def __init__(self, terminal_fd: int, on_written: Callable[[], None]) -> None:
        super().__init__()
        self._terminal_fd = terminal_fd
        self._fd = _open_again(terminal_fd)
        self._on_written = on_written
        self._give_up_at: float | None = None
        self.lost = False
        """The terminal has hung up; what is written goes nowhere."""
        self.writes = 0
        """Writes that are done."""
        self.chars = 0
        """Characters of the writes that are done."""
        self.written_bytes = 0
        """Bytes that the terminal has taken."""

    def fileno(self) -> int:
        """Return the descriptor of the terminal."""
        return self._terminal_fd

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write the text, waiting for the terminal for as long as it takes, or until `give_up`."""
        left = memoryview(text.encode(errors="replace"))
        while left and not self.lost and not self._given_up():
            try:
                count = os.write(self._fd, left)
            except BlockingIOError:
                self._wait()
            except OSError:
                self.lost = True
            else:
                self.written_bytes += count
                left = left[count:]
        self.chars += len(text)
        self.writes += 1
        self._on_written()
        return len(text)

    def write_now(self, data: bytes) -> None:
        """Write what the terminal takes at once, from any thread."""
        with suppress(OSError):
            os.write(self._fd, data)

    def give_up(self, after_s: float) -> None:
        """From ``after_s`` seconds on, throw away what the terminal does not take."""
        self._give_up_at = time.monotonic() + after_s

    def resume(self) -> None:
        """Write for as long as it takes again."""
        self._give_up_at = None

    def _given_up(self) -> bool:
        return self._give_up_at is not None and time.monotonic() >= self._give_up_at

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._fd, select.POLLOUT)
        poller.poll(_POLL_MS)


def _open_again(terminal_fd: int) -> int:
    """Return a non-blocking descriptor of the same terminal, or a blocking one if need be."""
    for path in (f"/proc/self/fd/{terminal_fd}", os.ttyname(terminal_fd)):
        try:
            return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            # After `su`, the terminal belongs to somebody else and cannot be opened again.
            continue
    return os.dup(terminal_fd)
