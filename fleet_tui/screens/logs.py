"""Logs: of one container, or of the same container on several devices, followed as they grow."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from textual import work
from textual.binding import Binding, BindingType

from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.operations.following import follow_logs
from fleet_core.operations.plans import Request
from fleet_tui.dialogs.choose_dialog import ChooseDialog
from fleet_tui.locations import Location
from fleet_tui.screens.text_screen import TextScreen
from fleet_tui.sources.log_book import LogBook
from fleet_tui.sources.log_choice import containers_of, deployments_on
from fleet_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_core.operations.following import LogChunk
    from fleet_tui.sources.log_book import LogLine
    from fleet_tui.table.source import Cell

MAX_DEVICES: Final = 10
"""Several logs at once are read side by side; more than these nobody follows."""
TAIL: Final = 500
RETRY_S: Final = 3.0
"""A device that went away is asked again after this."""
DEVICE_STYLES: Final = ("accent", "ok", "warning", "text")
PASSING_ERRORS: Final = frozenset({"offline", "timeout", "cannot-connect", "retry-later"})
"""Kinds of errors after which it is worth asking again."""


class LogsScreen(TextScreen):
    """A followed log. `/` searches, ``&`` keeps only the lines that match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ampersand", "only", "Only", key_display="&", id="logs.only"),
        Binding("t", "timestamps", "Times", id="logs.timestamps"),
        Binding("P", "previous", "Previous run", id="logs.previous"),
        Binding("c", "choose", "Container", id="logs.container"),
        Binding("ctrl+w", "save", "Save", id="logs.save"),
    ]

    view_name = "logs"

    def __init__(
        self,
        devices: tuple[str, ...],
        deployment: str = "",
        container: str = "",
    ) -> None:
        super().__init__()
        self.devices = devices
        self.book = LogBook()
        self.shows_times = False
        # The times are needed to merge the logs, whether or not they are shown.
        self._request = Request(
            devices=devices,
            deployment=deployment,
            container=container,
            tail=TAIL,
            timestamps=True,
        )
        self._missed = 0
        self._notes: dict[str, str] = {}
        """What is to be told of a device's log: that it ended, that the device is offline."""

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view; raises InvalidInputError where the device is missing."""
        devices, _, rest = location.argument.partition(" ")
        deployment, _, container = rest.strip().partition(" ")
        names = tuple(dict.fromkeys(name for name in devices.split(",") if name))
        if not names:
            raise InvalidInputError(
                "logs: expected a device",
                remedy="logs DEVICE[,DEVICE…] [DEPLOYMENT [CONTAINER]]",
            )
        if len(names) > MAX_DEVICES:
            raise InvalidInputError(
                f"logs of {len(names)} devices are too many at once",
                remedy=f"mark at most {MAX_DEVICES}",
            )
        return cls(names, deployment, container.strip())

    @property
    def location(self) -> Location:
        """Whose log of what."""
        request = self._request
        words = (",".join(self.devices), request.deployment, request.container)
        return Location(self.view_name, " ".join(word for word in words if word))

    def compose_body(self) -> Iterable[Widget]:
        """Return the text, wrapped: what a log says stands at the end of its lines."""
        text = TextView(id="body", wrap=True)
        text.follow = True
        yield text

    def on_mount(self) -> None:
        """Begin to read, or ask what is to be read."""
        super().on_mount()
        self.focus_body()
        if self._request.deployment:
            self.read()
        else:
            self.choose()

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return whose log it is, and how complete."""
        request, text, book = self._request, self.text, self.book
        what = (
            f"{request.deployment}/{request.container}" if request.container else request.deployment
        )
        whose = self.devices[0] if len(self.devices) == 1 else f"{len(self.devices)} devices"
        left: list[Cell] = [(f" logs {whose}  {what}", "title")]
        left += [("  previous run", "warning")] if request.previous else []
        left += [("  /", "dim"), (text.search, "accent")] if text.search else []
        left += [("  only ", "dim"), (text.only, "accent")] if text.only else []
        left += [("  no link: nothing arrives", "error")] if self._has_no_link else []
        left += [(f"  {name}: {note}", "warning") for name, note in self._notes.items()]
        dropped = f"{book.dropped:,} lines dropped  " if book.dropped else ""
        missed = f"{self._missed:,} chunks missed  " if self._missed else ""
        mode = "following" if text.follow else "paused, G follows"
        return left, [
            (f"{dropped}{missed}", "warning"),
            (f"{len(book.lines):,} lines  ", "dim"),
            (f"{mode} ", "accent" if text.follow else "warning"),
        ]

    @property
    def _has_no_link(self) -> bool:
        fleet = self.fleet_app.fleet
        return fleet is None or fleet.link.state.value != "connected"

    # What is read

    @work(exclusive=True, group="choose")
    async def choose(self) -> None:
        """Ask for the deployment, where that is open, and for the container; then read."""
        deployment = self._request.deployment or await self._deployment()
        container: str | None = None
        if deployment:
            offers = list(containers_of(self.view, deployment).items())
            # Where nothing is known of the containers, the device takes its first service.
            container = ""
            if len(offers) > 1:
                question = f"which container of {deployment}?"
                container = await self.app.push_screen_wait(ChooseDialog(question, offers))
        if deployment and container is not None:
            self._request = replace(self._request, deployment=deployment, container=container)
            self.read()
        elif not self._request.deployment:
            await self.fleet_app.action_back()

    async def _deployment(self) -> str | None:
        """Return the deployment that was chosen, or the only one; None if nothing was."""
        found = deployments_on(self.view, self.devices)
        if not found:
            self.fleet_app.say("nothing is deployed there", "warning")
            return None
        if len(found) == 1:
            return next(iter(found))
        offers = [(name, f"on {found[name]:,}") for name in sorted(found)]
        return await self.app.push_screen_wait(ChooseDialog("logs of which deployment?", offers))

    @work(exclusive=True, group="logs")
    async def read(self) -> None:
        """Read the logs of all devices from the start, side by side."""
        self.book = LogBook()
        self.text.set_lines([])
        self._missed, self._notes = 0, {}
        async with asyncio.TaskGroup() as group:
            for device in self.devices:
                group.create_task(self._follow(device), name=f"logs-{device}")

    async def _follow(self, device: str) -> None:
        """Follow one device's log, and take it up again when the device is back."""
        while True:
            fleet = self.fleet_app.fleet
            again = True
            try:
                if fleet is not None:
                    chunks = follow_logs(fleet, device, self._request)
                    async with aclosing(chunks) as following:
                        async for chunk in following:
                            self._take(device, chunk, again=again or chunk.restarted)
                            again = False
                    return
            except FleetError as error:
                passing = error.kind in PASSING_ERRORS
                self._note(device, f"{error}{'; asked again' if passing else ''}")
                if not passing:
                    return
            await asyncio.sleep(RETRY_S)

    def _take(self, device: str, chunk: LogChunk, *, again: bool) -> None:
        book = self.book
        self._missed += chunk.missed
        first = len(book.lines)
        if self._notes.pop(device, None):
            first = min(first, book.note(device, f"… {device} answers", "ok"))
        if chunk.truncated:
            first = min(first, book.note(device, "… older lines were left out", "dim"))
        if chunk.missed:
            missed = f"… {chunk.missed:,} chunks were missed here"
            first = min(first, book.note(device, missed, "warning"))
        if chunk.restarted:
            first = min(first, book.note(device, f"… {device} began anew", "warning"))
        self._show_from(min(first, book.add(device, chunk.lines, again=again)))
        if chunk.end is not None:
            self._note(device, f"ended: {chunk.end}" if chunk.end else "ended")

    def _note(self, device: str, note: str) -> None:
        """Tell in the title how a device's log stands, and at its place among the lines."""
        if self._notes.get(device) != note:
            self._notes[device] = note
            self._show_from(self.book.note(device, f"… {device}: {note}", "warning"))

    def _show_from(self, first: int) -> None:
        """Show the lines from a place on; those before it have not changed."""
        lines = [self._cell(line) for line in self.book.lines[first:]]
        if first:
            self.text.replace_from(first, lines)
        else:
            self.text.set_lines(lines)
        self.say_title()

    def _cell(self, line: LogLine) -> Cell:
        if line.style != "text":
            return line.text, line.style
        several = len(self.devices) > 1
        style = DEVICE_STYLES[self.devices.index(line.device) % len(DEVICE_STYLES)]
        stamp = f"{line.stamp} " if self.shows_times and line.stamp else ""
        name = f"{line.device}  " if several else ""
        return f"{stamp}{name}{line.text}", style if several else "text"

    # Keys

    def action_choose(self) -> None:
        """Read another container of the same deployment."""
        self.choose()

    def action_only(self) -> None:
        """Keep only the lines that hold what is searched; again shows all."""
        text = self.text
        if not text.only and not text.search:
            self.fleet_app.say("search first (/), then & keeps only the matching lines", "dim")
            return
        text.show_only("" if text.only else text.search)
        self.say_title()

    def action_timestamps(self) -> None:
        """Begin each line with its time, or not."""
        self.shows_times = not self.shows_times
        self._show_from(0)

    def action_previous(self) -> None:
        """Read the run before this one, or this one again."""
        self._request = replace(self._request, previous=not self._request.previous)
        self.read()

    def action_save(self) -> None:
        """Write all lines to a new file in the working directory."""
        if self.fleet_app.options.restricted:
            self.fleet_app.say("this session writes no files", "error")
            return
        lines = [self._cell(line)[0] for line in self.book.lines]
        try:
            path = self._save("".join(f"{line}\n" for line in lines))
        except OSError as error:
            self.fleet_app.say(f"cannot write the log: {error.strerror}", "error")
            return
        self.fleet_app.say(f"{len(lines):,} lines saved in {path}", "ok")

    def _save(self, text: str) -> Path:
        """Write a file that was not there before, and return its path."""
        request = self._request
        words = (self.devices[0], request.deployment, request.container)
        name = "-".join(("logs", *(word for word in words if word)))
        for number in count(1):
            path = Path(f"{name}.log" if number == 1 else f"{name}-{number}.log")
            with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
                file.write(text)
                return path
        raise AssertionError("counting does not end")

    def back(self) -> bool:
        """Show all lines again, else end the search."""
        if self.text.only:
            self.action_only()
            return True
        return super().back()
