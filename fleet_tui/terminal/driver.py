"""Textual's Linux driver, made to survive slow, stalled, odd and vanished terminals."""

from __future__ import annotations

import logging
import os
import select
import sys
import termios
from typing import TYPE_CHECKING, Any, Final, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from fleet_core.errors import BrokenError
from fleet_tui.terminal.input_bytes import InputDecoder
from fleet_tui.terminal.output import TerminalOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

log = logging.getLogger(__name__)

SATURATED_WRITES: Final = 6
"""Frames are dropped while so many writes wait; a frame is one to three of them."""
SATURATED_CHARS: Final = 8 * 1024
"""Frames are dropped while so much text waits: a third of a page of 200 by 50 cells.

Measured on a link of 30 kB/s with every line changing ten times a second: what is on the screen is
1.3 s old and the event loop misses nothing; with Textual's own driver it gets through a third of
its work.
"""
MAX_WAITING_WRITES: Final = 24
"""Beyond this, what is not a frame is dropped too: at 30 Textual's queue blocks the event loop."""
CLOSE_TIMEOUT_S: Final = 1.0
"""How long the end of the program waits for a terminal that takes nothing."""

_READ_BYTES = 4096
_READ_POLL_MS = 100
_RESTORE = b"\x1b[?2026l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[?1049l\x1b[?25h"
"""Ends synchronised output, mouse reports, bracketed paste, Kitty keys and the alternate screen."""


class TerminalDriver(LinuxDriver):
    """A driver whose writes never block the event loop and whose reads never raise."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if sys.__stdout__ is None:
            raise BrokenError("standard output is closed")
        # Textual writes to standard error, which people send to a file: `fleet-tui 2>errors`.
        self.output = TerminalOutput(sys.__stdout__.fileno(), self._write_done)
        self._file = cast("Any", self.output)
        self._offered_writes = 0
        self._offered_chars = 0
        self._on_drained: Callable[[], None] | None = None

    @property
    def waiting_writes(self) -> int:
        """Writes that the terminal has not taken yet."""
        return self._offered_writes - self.output.writes

    @property
    def saturated(self) -> bool:
        """Whether the terminal is behind: a frame drawn now would only age in the queue."""
        waiting_chars = self._offered_chars - self.output.chars
        return self.waiting_writes >= SATURATED_WRITES or waiting_chars >= SATURATED_CHARS

    def call_when_drained(self, callback: Callable[[], None]) -> None:
        """Call back once, on the event loop, when the terminal has taken all that waits."""
        self._on_drained = callback
        if self.waiting_writes == 0:
            self._loop.call_soon(self._drained)

    def write(self, data: str) -> None:
        """Queue text for the terminal; never blocks."""
        if self.waiting_writes >= MAX_WAITING_WRITES:
            log.debug("the terminal takes nothing: dropped %d characters", len(data))
            return
        self._offered_writes += 1
        self._offered_chars += len(data)
        super().write(data)

    def _write_done(self) -> None:
        """Runs in the writer thread."""
        if self._on_drained is not None and self.waiting_writes == 0:
            self._loop.call_soon_threadsafe(self._drained)

    def _drained(self) -> None:
        callback, self._on_drained = self._on_drained, None
        if callback is not None:
            callback()

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        self.output.resume()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual annotates it not

    def close(self) -> None:
        """End the writer thread, with what it can still write in `CLOSE_TIMEOUT_S`."""
        self._on_drained = None
        self.output.give_up(CLOSE_TIMEOUT_S)
        super().close()

    def restore_terminal(self) -> None:
        """Give the terminal back from any thread, when the event loop no longer can."""
        if self.attrs_before is not None:
            try:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            except termios.error:
                return
        self.output.write_now(_RESTORE)

    def run_input_thread(self) -> None:
        """Read the terminal until the app ends or the terminal hangs up."""
        decoder = InputDecoder()
        parser = XTermParser(self._debug)
        poller = select.poll()
        poller.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            if poller.poll(_READ_POLL_MS):
                data = self._read()
                if not data:
                    return
                parser = self._feed(parser, decoder.decode(data))
            for event in parser.tick():
                self.process_message(event)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _READ_BYTES)
        except OSError:
            return b""

    def _feed(self, parser: XTermParser, text: str) -> XTermParser:
        """Pass text to the parser; return the parser for what comes next."""
        try:
            for event in parser.feed(text):
                self.process_message(event)
        except (ValueError, OverflowError) as error:
            # Textual's parser trusts the numbers in a sequence, such as a key's code point.
            log.warning("the terminal sent what cannot be a key: %s", error)
            return XTermParser(self._debug)
        return parser
