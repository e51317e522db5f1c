"""The base of the app: drops frames for a slow terminal, ends when it is told to or hung up on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import constants
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.geometry import Region

from fleet_core.errors import BrokenError
from fleet_tui.terminal.driver import TerminalDriver
from fleet_tui.terminal.environment import ColorDepth, color_depth, is_remote
from fleet_tui.terminal.hang_up import ExitDeadline, HangUpWatcher
from fleet_tui.themes import theme_for, themes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from rich.console import RenderableType
    from textual.driver import Driver
    from textual.screen import Screen

SIGNAL_EXIT_BASE: Final = 128
"""A program ended by signal N exits with 128 + N, as shells have it."""
EXIT_HUNG_UP: Final = SIGNAL_EXIT_BASE + signal.SIGHUP


COLLECTOR_THRESHOLDS: Final = (5_000, 20, 20)
"""Painting a page makes thousands of short-lived objects: Python's 700 is soon reached."""


class TerminalApp(App[int]):
    """An app for terminals as they are: slow, stalled, poor in colours, gone.

    Derive from it instead of `textual.app.App`, and start it by `run_in_terminal`. The theme is
    chosen by the colours that the terminal has.
    """

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False

    def __init__(self) -> None:
        # Textual takes NO_COLOR out of the environment when it starts.
        self.color_depth = color_depth(os.environ)
        """The colours of the terminal."""
        native = self.color_depth in {ColorDepth.SIXTEEN, ColorDepth.NONE}
        super().__init__(ansi_color=native or None)
        self.frames_dropped = 0
        """Frames that were not drawn because the terminal was behind."""
        self._is_given_away = False
        self._owed_screen: Screen[Any] | None = None
        self._owed_regions: set[Region] = set()
        for theme in themes():
            self.register_theme(theme)
        self.theme = theme_for(self.color_depth).name

    def get_driver_class(self) -> type[Driver]:
        """Return our own driver, unless another one is asked for (as ``textual serve`` does)."""
        return super().get_driver_class() if constants.DRIVER else TerminalDriver

    def on_ready(self) -> None:
        """Settle once the first frame is drawn."""
        if not self.is_headless:
            self.settle()

    def settle(self) -> None:
        """Take all objects that live now out of the garbage collector's sight.

        Call it again once much has been loaded. Measured with 100,000 rows: without it, every 27th
        page that is painted waits 30 ms for a full collection, and the slowest keys with it.
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)

    @property
    def can_suspend(self) -> bool:
        """Whether the terminal can be given to another program for a while."""
        return self._driver is not None and self._driver.can_suspend

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Give the terminal to another program; the event loop goes on, and paints nothing."""
        with self.suspend():
            self._is_given_away = True
            try:
                yield
            finally:
                self._is_given_away = False

    def end(self, exit_code: int) -> None:
        """End the app; for signals and hang-ups."""
        self.exit(exit_code, return_code=exit_code)

    def restore_terminal(self) -> None:
        """Give the terminal back without the event loop's help."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.restore_terminal()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Draw a frame, or note what it would have drawn until the terminal can take it."""
        driver = self._driver
        if self._is_given_away:
            return
        if renderable is None or not isinstance(driver, TerminalDriver) or not driver.saturated:
            super()._display(screen, renderable)
            return
        self.frames_dropped += 1
        if screen is not self._owed_screen:
            self._owed_screen = screen
            self._owed_regions.clear()
        if isinstance(renderable, ChopsUpdate):
            self._owed_regions.update(Region(x, y, end - x, 1) for y, x, end in renderable.spans)
        else:
            self._owed_regions.add(screen.size.region)
        driver.call_when_drained(self._draw_what_is_owed)

    def _draw_what_is_owed(self) -> None:
        screen, self._owed_screen = self._owed_screen, None
        regions, self._owed_regions = self._owed_regions, set()
        if screen is not None and screen is self.screen:
            screen.refresh(*regions)


def run_in_terminal(app: TerminalApp, *, mouse: bool | None = None) -> int:
    """Run the app until it ends, and return its exit code.

    The app is ended by SIGHUP, SIGTERM and SIGINT, and when the terminal hangs up; if the process
    has not ended 3 s later, it is ended. Call `check_terminal` before.

    Args:
        app: the app.
        mouse: whether it takes the mouse; None means only where the terminal is local, since over
            SSH the mouse is better left to the person's own terminal, for selecting text.
    """
    return asyncio.run(_run(app, mouse=not is_remote(os.environ) if mouse is None else mouse))


async def _run(app: TerminalApp, *, mouse: bool) -> int:
    if sys.__stdin__ is None:
        raise BrokenError("standard input is closed")
    loop = asyncio.get_running_loop()
    deadline = ExitDeadline(app.restore_terminal)

    def end(exit_code: int) -> None:
        deadline.arm(exit_code)
        loop.call_soon_threadsafe(app.end, exit_code)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        end(SIGNAL_EXIT_BASE + number)

    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        # Handlers of the loop would not run while it is busy; these do, and start the deadline.
        signal.signal(number, on_signal)
    with HangUpWatcher(sys.__stdin__.fileno(), lambda: end(EXIT_HUNG_UP)):
        await app.run_async(mouse=mouse)
    return app.return_code or 0
