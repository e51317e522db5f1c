"""Ends the program when its terminal goes, even when the event loop no longer turns."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

log = logging.getLogger(__name__)

EXIT_GRACE_S: Final = 3.0
"""How long the app may take to end by itself."""
_POLL_MS = 500


class ExitDeadline:
    """Once armed, ends the process after a grace, unless it has ended by itself."""

    def __init__(self, last_act: Callable[[], None], *, grace_s: float = EXIT_GRACE_S) -> None:
        self._last_act = last_act
        self._grace_s = grace_s
        self._armed = threading.Lock()

    def arm(self, exit_code: int) -> None:
        """Start the count-down; safe from any thread and from a signal handler."""
        if self._armed.acquire(blocking=False):
            threading.Thread(
                target=self._count_down, args=(exit_code,), name="exit-deadline", daemon=True
            ).start()

    def _count_down(self, exit_code: int) -> None:
        time.sleep(self._grace_s)
        self._last_act()
        os._exit(exit_code)


class HangUpWatcher:
    """A thread that calls back when a terminal hangs up.

    A program that started in the background, or under ``nohup``, gets no SIGHUP: without this it
    would spin at 98 % of a core on an input that has ended.
    """

    def __init__(self, terminal_fd: int, on_hang_up: Callable[[], None]) -> None:
        self._terminal_fd = terminal_fd
        self._on_hang_up = on_hang_up
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hang-up-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stop.set()

    def _watch(self) -> None:
        poller = select.poll()
        # No event is asked for: hang-up and error are always told, and input wakes nobody here.
        poller.register(self._terminal_fd, 0)
        while not self._stop.is_set():
            if poller.poll(_POLL_MS):
                log.info("the terminal has hung up")
                self._on_hang_up()
                return
